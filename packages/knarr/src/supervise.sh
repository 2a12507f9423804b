#!/bin/sh
# Keeps one process of a cluster running: starts it again when it ends, later each time that it ends soon.
#
#   supervise.sh PREFIX LOG COMMAND…
#
# PREFIX.supervisor  our pid and start time; whoever writes another one there takes over
# PREFIX.pid         the process's own, written by itself; one that an earlier supervisor left is ended first
# PREFIX.progress    how far its start is, written by itself
# PREFIX.state       how it goes, one JSON object (supervisor.ts reads it)
# LOG                what the process writes; begun anew here before a start, by the process itself while it runs
#
# SIGTERM is passed on, and ends us when the process has ended. SIGURG is the process's own word that all its work is
# over: it is killed when it has not ended 2 s later. The first restart is at once, the second after 0.1 s,
# each further one after twice the last pause, at most 30 s, or 1 s for a process that had said it was ready; at once
# again after it ran for a minute.

# One function: a shell reads its script while it runs, and this file may be replaced meanwhile.
main() {
  prefix=$1 log=$2
  shift 2
  name=${prefix##*/}
  first_pause=100 longest_pause=30000 ready_pause=1000 steady_seconds=60 log_kib=10240
  restarts=0 pause=0 since=0 last_exit='' last_exit_at=0
  child='' stopping='' ending=''
  trap 'stopping=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null' TERM INT
  trap 'ending=1' URG
  trap '' HUP

  echo "$$ $(start_time $$)" >"$prefix.supervisor.new" && mv -f "$prefix.supervisor.new" "$prefix.supervisor"
  end_process_left_over
  while [ -z "$stopping" ]; do
    rotate_log
    ending=''
    since=$(date +%s)
    "$@" >>"$log" 2>&1 </dev/null &
    child=$!
    # The signal may have come before there was a child to pass it to.
    [ -z "$stopping" ] || kill -TERM "$child" 2>/dev/null
    write_state running 0
    ended=$child
    wait_for_child
    child=''
    [ -z "$stopping" ] || break
    # The cluster's folder is gone, or another supervisor has taken over.
    is_ours || exit 0
    last_exit_at=$(date +%s)
    restarts=$((restarts + 1))
    [ $((last_exit_at - since)) -lt $steady_seconds ] || pause=0
    if [ $pause -gt $ready_pause ] && was_ready "$ended"; then pause=$ready_pause; fi
    write_state waiting "$pause"
    seconds=$(printf '%d.%03d' $((pause / 1000)) $((pause % 1000)))
    echo "$(date -u +%Y-%m-%dT%H:%M:%S.000Z) WARN  The process ended; starting it again process=$name exit=\"$last_exit\" restarts=$restarts pauseSeconds=$seconds" >>"$log"
    if [ $pause -gt 0 ]; then
      sleep "$seconds" &
      child=$!
      [ -z "$stopping" ] || kill -TERM "$child" 2>/dev/null
      wait "$child"
      child=''
      is_ours || exit 0
    fi
    pause=$((pause * 2))
    [ $pause -ge $first_pause ] || pause=$first_pause
    [ $pause -le $longest_pause ] || pause=$longest_pause
  done
  exit 0
}

# Field 22 of /proc/PID/stat, which tells a process from a later one with the same number.
start_time() {
  read -r stat_line 2>/dev/null <"/proc/$1/stat" || return
  # shellcheck disable=SC2086
  set -- ${stat_line##*) }
  [ "$1" = Z ] || echo "${20}"
}

is_ours() {
  read -r owner _ 2>/dev/null <"$prefix.supervisor" && [ "$owner" = $$ ]
}

end_process_left_over() {
  read -r old old_start 2>/dev/null <"$prefix.pid" || return 0
  tries=0
  while [ -z "$stopping" ] && [ -n "$old_start" ] && [ "$(start_time "$old")" = "$old_start" ]; do
    if [ $tries = 0 ]; then kill -TERM "$old" 2>/dev/null; fi
    if [ $tries = 300 ]; then kill -KILL "$old" 2>/dev/null; fi
    tries=$((tries + 1))
    sleep 0.05
  done
}

# Sets last_exit. A signal of ours interrupts `wait` while the child still runs.
wait_for_child() {
  while :; do
    wait "$child"
    code=$?
    kill -0 "$child" 2>/dev/null || break
    [ -z "$ending" ] || end_child
  done
  if [ $code -gt 128 ]; then last_exit="signal SIG$(kill -l $((code - 128)))"; else last_exit="exit code $code"; fi
}

# A process may hang in its very end, where nothing of its own can help it any more.
end_child() {
  tries=0
  while [ $tries -lt 40 ] && [ -n "$(start_time "$child")" ]; do
    tries=$((tries + 1))
    sleep 0.05
  done
  [ $tries -lt 40 ] || kill -KILL "$child" 2>/dev/null
  ending=''
}

# Whether the process with this pid had told in PREFIX.progress that everything runs.
was_ready() {
  read -r told 2>/dev/null <"$prefix.progress" || return 1
  case $told in
    *\"pid\":"$1"[,}]*) grep -q '"ready":true' "$prefix.progress" ;;
    *) return 1 ;;
  esac
}

write_state() {
  printf '{"state":"%s","restarts":%d,"since":%d,"lastExit":"%s","lastExitAt":%d,"pauseMs":%d}\n' \
    "$1" "$restarts" "$since" "$last_exit" "$last_exit_at" "$2" >"$prefix.state.new" 2>/dev/null &&
    mv -f "$prefix.state.new" "$prefix.state"
}

# The process itself does this while it runs; here for one that fails before it can.
rotate_log() {
  [ -n "$(find "$log" -size +${log_kib}k 2>/dev/null)" ] || return 0
  if [ -f "$log.1" ]; then mv -f "$log.1" "$log.2"; fi
  mv -f "$log" "$log.1"
}

main "$@"
