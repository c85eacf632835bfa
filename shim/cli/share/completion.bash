# bash completion for snag
_snag() {
  local cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} i
  COMPREPLY=()
  if [ "$COMP_CWORD" -eq 1 ]; then
    mapfile -t COMPREPLY < <(compgen -W "run check why ports trace sessions ctl schema --help --version" -- "$cur")
    return
  fi
  if [ "$command" = ctl ] && [ "$COMP_CWORD" -le 3 ]; then
    if [ "$COMP_CWORD" -eq 2 ]; then
      mapfile -t COMPREPLY < <(compgen -W "$(snag sessions 2>/dev/null | awk 'NR > 1 {print $1}')" -- "$cur")
    else
      mapfile -t COMPREPLY < <(compgen -W "list enable disable fire release stop" -- "$cur")
    fi
    return
  fi
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [ "${COMP_WORDS[i]}" = -- ]; then
      mapfile -t COMPREPLY < <(compgen -c -f -- "$cur")
      return
    fi
  done
  case $cur in
    -*) mapfile -t COMPREPLY < <(compgen -W "$(snag "$command" --help 2>/dev/null | grep -oE -- '--?[a-z][a-z-]*' | sort -u)" -- "$cur") ;;
    *) mapfile -t COMPREPLY < <(compgen -f -- "$cur") ;;
  esac
}
complete -o filenames -F _snag snag
