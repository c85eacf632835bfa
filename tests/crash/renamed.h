/* renamed.h - the functions of session and ring under other names, so that a test can hold a second copy of them,
 * compiled with SNAG_STEP, beside the one it is linked with. */
#ifndef TESTS_CRASH_RENAMED_H
#define TESTS_CRASH_RENAMED_H

#define file_room step_file_room
#define folder_each step_folder_each
#define folder_open step_folder_open
#define hold_add step_hold_add
#define hold_drop_all step_hold_drop_all
#define hold_find step_hold_find
#define hold_give_up step_hold_give_up
#define hold_next step_hold_next
#define hold_remove step_hold_remove
#define hold_share step_hold_share
#define hold_unshare step_hold_unshare
#define index_add step_index_add
#define index_find step_index_find
#define index_rebuild step_index_rebuild
#define proc_alive step_proc_alive
#define proc_claim step_proc_claim
#define proc_drop step_proc_drop
#define proc_get step_proc_get
#define proc_join step_proc_join
#define proc_next_thread step_proc_next_thread
#define proc_reap step_proc_reap
#define proc_ticket step_proc_ticket
#define proc_ticket_is step_proc_ticket_is
#define ring_get step_ring_get
#define ring_put step_ring_put
#define session_attach step_session_attach
#define session_close step_session_close
#define session_create step_session_create
#define session_detach step_session_detach
#define session_drained step_session_drained
#define session_each step_session_each
#define session_flush step_session_flush
#define session_folder step_session_folder
#define session_grow_ring step_session_grow_ring
#define session_grow_socks step_session_grow_socks
#define session_lock step_session_lock
#define session_lock_tables step_session_lock_tables
#define session_locked step_session_locked
#define session_name_ok step_session_name_ok
#define session_now step_session_now
#define session_remove step_session_remove
#define session_repair step_session_repair
#define session_tracing step_session_tracing
#define session_unlock step_session_unlock
#define session_wake_keeper step_session_wake_keeper
#define sock_confirm step_sock_confirm
#define sock_confirm_begin step_sock_confirm_begin
#define sock_confirm_end step_sock_confirm_end
#define sock_drop step_sock_drop
#define sock_find step_sock_find
#define sock_each_holder step_sock_each_holder
#define sock_free step_sock_free
#define sock_get step_sock_get
#define sock_hold step_sock_hold
#define sock_holder step_sock_holder
#define sock_is step_sock_is
#define sock_new step_sock_new
#define sock_publish step_sock_publish
#define sock_shared step_sock_shared
#define sock_sole step_sock_sole
#define task_parse step_task_parse
#define task_pid_ns step_task_pid_ns
#define task_read step_task_read
#define task_clock step_task_clock
#define task_runs step_task_runs
#define task_start_ns step_task_start_ns

#endif
