#!/bin/sh
# A Docker daemon for a machine whose service manager starts none: deploy/docker/daemon.sh start | stop | ensure
#
# It has no bridge and leaves the machine's packet filter alone: containers use the host's network, as deploy/compose.yaml
# does. `start` and `stop` need root; `stop` ends only the daemon that `start` began. `ensure` is quiet where a daemon
# answers and starts one where it can.
set -eu
cd "$(dirname "$0")/../.."
STATE=.cache/docker
PID=$STATE/dockerd.pid
LOG=$STATE/dockerd.log

die() {
	echo "$*" >&2
	exit 1
}

answers() { docker version >/dev/null 2>&1; }

start() {
	answers && { echo "a Docker daemon answers already"; return; }
	missing=""
	command -v dockerd >/dev/null || missing="docker.io"
	command -v debootstrap >/dev/null || missing="$missing debootstrap"
	[ -z "$missing" ] || die "missing: $missing: as root, apt-get install --no-install-recommends $missing"
	[ "$(id -u)" = 0 ] || die "a Docker daemon is started by root: sudo make docker-start"
	mkdir -p "$STATE"
	setsid dockerd --iptables=false --ip6tables=false --bridge=none --storage-driver overlay2 \
		--default-ulimit nofile=1024:1024 --pidfile "$PWD/$PID" >"$LOG" 2>&1 &
	for _ in $(seq 100); do
		answers && { echo "a Docker daemon runs, pid $(cat "$PID"); make docker-stop ends it"; return; }
		sleep 0.2
	done
	die "the Docker daemon did not answer within 20 s: $(tail -n 1 "$LOG")"
}

stop() {
	[ -f "$PID" ] || die "no daemon was started here: $PID is not there"
	pid=$(cat "$PID")
	# The file outlives a restart of the machine, after which another process may have the number.
	if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != dockerd ]; then
		rm "$PID"
		die "the Docker daemon $pid had ended already; $PID is removed"
	fi
	kill "$pid"
	for _ in $(seq 150); do
		kill -0 "$pid" 2>/dev/null || { echo "the Docker daemon $pid has ended"; return; }
		sleep 0.2
	done
	die "the Docker daemon $pid did not end within 30 s"
}

ensure() {
	answers && return
	# The commands say by themselves what is wrong where it cannot be started from here.
	[ "$(id -u)" = 0 ] && command -v dockerd >/dev/null && [ ! -S /var/run/docker.sock ] && start
	return 0
}

case "${1:-}" in
start | stop | ensure) "$1" ;;
*) die "usage: deploy/docker/daemon.sh start|stop|ensure" ;;
esac
