// A small HTTP server and client on node's http module.
//
// http.js serve PORT: answers /page with 100000 bytes and anything else with "pong".
// http.js ask PORT MS PATH...: asks one after the other on one connection, each within MS; a line for each answer.
// What node reports is said in its own words; an error that nobody handles ends it, as ever.
const http = require('http');
const [what, port, ms, ...paths] = process.argv.slice(2);

function serve() {
  const server = http.createServer((request, answer) => answer.end(request.url === '/page' ? 'x'.repeat(100000) : 'pong'));
  server.on('clientError', (error, socket) => { console.error(error.code); socket.destroy(); });
  server.listen(+port, '127.0.0.1');
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
const ask = (path) => new Promise((done, failed) => {
  const request = http.get({ port: +port, host: '127.0.0.1', path, agent, timeout: +ms }, (answer) => {
    let n = 0;
    answer.on('data', (part) => { n += part.length; });
    answer.on('error', failed);
    answer.on('end', () => done(console.log(answer.statusCode, n)));
  });
  request.on('timeout', () => request.destroy(new Error('timeout')));
  request.on('error', failed);
});

async function askAll() {
  try {
    for (const path of paths) await ask(path);
  } catch (error) {
    console.error(error.message);
    process.exitCode = 1;
  }
  agent.destroy();
}

if (what === 'serve') serve(); else askAll();
