#!/usr/bin/env bash
# Installs the appliance from this checkout, or upgrades it in place; state is kept.
set -Eeuo pipefail

readonly FRESH_MEGABYTES=3000
readonly UPGRADE_MEGABYTES=1000

unset CDPATH
ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
readonly ROOT
readonly COMMAND="$ROOT/scripts/appliance"
readonly INSTALLED="$ROOT/.venv/bin/appliance"
APPLIANCE_HOME="${APPLIANCE_HOME:-$HOME/.local/share/appliance}"
[[ $APPLIANCE_HOME == /* ]] || APPLIANCE_HOME="$PWD/$APPLIANCE_HOME"
export APPLIANCE_HOME

start=yes demo=no systemd=no uninstall=no assume_yes=no open=ask
current_step="starting" log=""

usage() {
    cat <<'END'
Usage: ./install.sh [options]

Installs the appliance from this checkout and starts it. Run it again to upgrade: state is kept.

  --no-start    install only; `appliance up` starts it later
  --demo        use the built-in market simulator, whether or not Upbit answers
  --systemd     install and enable a systemd unit (system unit as root, user unit otherwise)
  --open        open the dashboard at the end (on a terminal it is asked for otherwise)
  --uninstall   stop the appliance, remove command and unit; asks before it deletes state
  --yes         with --uninstall: delete state without asking
  --help        show this text

State lives in $APPLIANCE_HOME (default ~/.local/share/appliance), the command in
$APPLIANCE_BIN_DIR (default ~/.local/bin, as root /usr/local/bin).
Exit codes: 0 done, 1 failed, 2 usage.
END
}

# --- words -------------------------------------------------------------------------------------

say() { printf '%s\n' "$*" >&2; }
step() {
    current_step="$1"
    printf '==> %s\n' "$1" >&2
}
warn() { printf 'warning: %s\n' "$*" >&2; }

fail() { # MESSAGE NEXT_STEP
    trap - ERR
    printf 'error: %s\nnext:  %s\n' "$1" "$2" >&2
    exit 1
}

on_error() {
    local code=$? line=$1
    trap - ERR
    printf '\nerror: failed while %s (install.sh line %s, exit code %s)\n' \
        "$current_step" "$line" "$code" >&2
    if [[ -n $log && -s $log ]]; then
        printf 'the last lines of %s:\n' "$log" >&2
        tail -n 15 "$log" | sed 's/^/  /' >&2
    fi
    printf 'next:  correct the cause and run ./install.sh again; it continues where it can\n' >&2
    exit 1
}
trap 'on_error $LINENO' ERR
trap 'trap - ERR; printf "\ninterrupted while %s; run ./install.sh again to continue\n" "$current_step" >&2; exit 130' INT TERM

readonly BOOTSTRAP="$APPLIANCE_HOME/bootstrap"
# shellcheck source=scripts/environment
source "$ROOT/scripts/environment"

# --- arguments ---------------------------------------------------------------------------------

parse_arguments() {
    while (($# > 0)); do
        case "$1" in
        --no-start) start=no ;;
        --demo) demo=yes ;;
        --systemd) systemd=yes ;;
        --open) open=yes ;;
        --uninstall) uninstall=yes ;;
        --yes | -y) assume_yes=yes ;;
        --help | -h)
            usage
            exit 0
            ;;
        *)
            printf 'error: unknown option %s\n\n' "$1" >&2
            usage >&2
            exit 2
            ;;
        esac
        shift
    done
}

# --- what the machine has ----------------------------------------------------------------------

free_megabytes() { # DIRECTORY, or its nearest parent that exists
    local directory="$1"
    while [[ ! -d $directory ]]; do directory="$(dirname "$directory")"; done
    df -Pm "$directory" | awk 'NR == 2 { print $4 }'
}

check_disk() {
    step "checking free disk space"
    local needed=$FRESH_MEGABYTES directory free
    [[ -x $INSTALLED ]] && needed=$UPGRADE_MEGABYTES
    for directory in "$ROOT" "$APPLIANCE_HOME"; do
        free="$(free_megabytes "$directory")"
        if ((free < needed)); then
            fail "$directory has ${free} MB free, ${needed} MB are needed" \
                "free some space there, or set APPLIANCE_HOME to a larger disk, then run ./install.sh again"
        fi
    done
    say "    ${free} MB free at $APPLIANCE_HOME"
}

check_systemd() {
    [[ $systemd == yes ]] || return 0
    if [[ ! -d /run/systemd/system ]]; then
        fail "--systemd was asked for, but systemd does not run this machine (init is $(cat /proc/1/comm))" \
            "run ./install.sh without --systemd; 'appliance up' starts the appliance by hand"
    fi
    if ((EUID != 0)) && ! systemctl --user show-environment >/dev/null 2>&1; then
        fail "the user instance of systemd does not answer (no login session?)" \
            "log in properly (ssh or console, not su), or run ./install.sh without --systemd"
    fi
}

# --- the command -------------------------------------------------------------------------------

link_directory() {
    if [[ -n ${APPLIANCE_BIN_DIR:-} ]]; then
        printf '%s\n' "$APPLIANCE_BIN_DIR"
    elif ((EUID == 0)) && [[ -w /usr/local/bin ]]; then
        printf '/usr/local/bin\n'
    else
        printf '%s/.local/bin\n' "$HOME"
    fi
}

is_our_link() { # LINK; earlier versions linked the environment's own script
    [[ -L $1 && ($(readlink "$1") == "$COMMAND" || $(readlink "$1") == "$INSTALLED") ]]
}

link_command() {
    local directory link
    directory="$(link_directory)"
    link="$directory/appliance"
    step "linking $link"
    mkdir -p "$directory"
    if [[ -e $link && ! -L $link ]]; then
        fail "$link exists and is not a link of this installer" "move it away, then run ./install.sh again"
    fi
    if [[ -L $link ]] && ! is_our_link "$link"; then
        warn "$link pointed to $(readlink "$link"); it points to this checkout now"
    fi
    ln -sfn "$COMMAND" "$link"
    case ":$PATH:" in
    *":$directory:"*) ;;
    *) warn "$directory is not on your PATH; add it: echo 'export PATH=\"$directory:\$PATH\"' >> ~/.profile" ;;
    esac
}

# What makes manual page and completion, and where each belongs beside a command in .../bin.
help_files() { # DIRECTORY_OF_THE_COMMAND
    local share="${1%/bin}/share"
    [[ $1 == */bin ]] || return 0
    printf '%s\n' "man|$share/man/man1/appliance.1" \
        "completion bash|$share/bash-completion/completions/appliance" \
        "completion zsh|$share/zsh/site-functions/_appliance" \
        "completion fish|$share/fish/vendor_completions.d/appliance.fish"
}

is_our_help() { grep -q APPLIANCE "$1" 2>/dev/null; } # FILE

install_help() {
    local words file text
    while IFS='|' read -r words file; do
        if [[ -e $file ]] && ! is_our_help "$file"; then
            warn "$file is not of this installer; it is left alone"
            continue
        fi
        # shellcheck disable=SC2086 # two words
        text="$("$COMMAND" $words 2>>"$log")" || text=""
        [[ $text == *APPLIANCE* ]] || continue
        if ! mkdir -p "$(dirname "$file")" 2>>"$log" || ! printf '%s\n' "$text" 2>>"$log" >"$file"; then
            warn "$file cannot be written; the appliance works without it"
        fi
    done < <(help_files "$(link_directory)")
}

remove_help() { # DIRECTORY_OF_THE_COMMAND
    local words file
    while IFS='|' read -r words file; do
        if is_our_help "$file"; then
            step "removing $file"
            rm -f "$file"
        fi
    done < <(help_files "$1")
}

# --- the running appliance ---------------------------------------------------------------------

# Evaluates an expression in the appliance's own terms; needs no installed package.
in_python() { # EXPRESSION; ends the installation when no home can be there
    local code=0
    PYTHONPATH="$ROOT" "$python" -B -X utf8 -c '
import sys
from appliance.config.instance_lock import holder_pid, is_supervised
from appliance.config.paths import Paths
from appliance.errors import ConfigError
try:
    sys.exit(eval(sys.argv[1]))
except ConfigError as error:
    print(f"error: {error.message}\nnext:  {error.hint}", file=sys.stderr)
    sys.exit(2)' "$1" || code=$?
    if ((code == 2)); then
        trap - ERR
        exit 2
    fi
    return "$code"
}

# Prints the pid of this home's supervisor, an empty line while a held lock names none yet.
supervisor_pid() { # fails when no supervisor runs
    in_python 'print(holder_pid(home) or "") if is_supervised(home := Paths.from_environment()) else 1'
}

is_running() { supervisor_pid >/dev/null; }

unit_file() {
    if ((EUID == 0)); then
        printf '/etc/systemd/system/appliance.service\n'
    else
        printf '%s/systemd/user/appliance.service\n' "${XDG_CONFIG_HOME:-$HOME/.config}"
    fi
}

control_systemd() {
    if ((EUID == 0)); then systemctl "$@"; else systemctl --user "$@"; fi
}

has_unit() { [[ -d /run/systemd/system && -e $(unit_file) ]]; }

stop_running() {
    step "stopping the running appliance"
    if has_unit && control_systemd is-active --quiet appliance; then
        control_systemd stop appliance
    elif ! { [[ -x $INSTALLED ]] && "$COMMAND" down; }; then
        # The environment may be too broken for the command: the supervisor stops in order by signal.
        kill -TERM "$(supervisor_pid)"
    fi
    local deadline=$((SECONDS + 120))
    while is_running; do
        if ((SECONDS >= deadline)); then
            fail "the appliance does not stop" "look at $APPLIANCE_HOME/logs/supervisor.log"
        fi
        sleep 0.5
    done
}

# A systemd unit reads quotes, backslashes, percent signs and (in commands) dollar signs for itself.
in_quotes() { printf '%s' "$1" | sed 's/[\\"]/\\&/g'; }
in_unit() { printf '"%s"' "$(in_quotes "$1" | sed 's/%/%%/g')"; }

# What the unit takes of this shell: proxies and certificates, which may hold credentials. Kept when
# this shell has none.
keep_outbound_settings() {
    local name settings=""
    for name in {http,https,all,no}_proxy {HTTP,HTTPS,ALL,NO}_PROXY SSL_CERT_FILE SSL_CERT_DIR \
        REQUESTS_CA_BUNDLE CURL_CA_BUNDLE; do
        [[ -z ${!name:-} ]] || settings+="$name=\"$(in_quotes "${!name}")\""$'\n'
    done
    if [[ -n $settings ]]; then
        (umask 077 && printf '%s' "$settings" >"$APPLIANCE_HOME/compose/shell.env")
    fi
}

install_unit() {
    [[ $systemd == yes ]] || return 0
    local unit target="multi-user.target"
    unit="$(unit_file)"
    ((EUID == 0)) || target="default.target"
    step "installing the systemd unit $unit"
    keep_outbound_settings
    mkdir -p "$(dirname "$unit")"
    cat >"$unit" <<END
[Unit]
Description=Machine-learning appliance
Wants=network-online.target
After=network-online.target

[Service]
Environment=$(in_unit "APPLIANCE_HOME=$APPLIANCE_HOME")
EnvironmentFile=-${APPLIANCE_HOME//%/%%}/compose/shell.env
ExecStart=$(in_unit "$COMMAND" | sed 's/\$/$$/g') up --foreground
Restart=on-failure
RestartSec=5
KillMode=mixed
TimeoutStopSec=120

[Install]
WantedBy=$target
END
    control_systemd daemon-reload
    control_systemd enable appliance >>"$log" 2>&1
    if ((EUID != 0)) && ! loginctl enable-linger >>"$log" 2>&1; then
        warn "it will run only while you are logged in; for more: sudo loginctl enable-linger $(id -un)"
    fi
}

start_appliance() {
    if [[ $start == no ]]; then
        return
    fi
    step "starting the appliance (the first start creates the databases, about half a minute)"
    if has_unit; then
        control_systemd start appliance
        wait_for_supervisor
    fi
    "$COMMAND" up || fail "the appliance is not ready yet" \
        "appliance status shows what is missing, appliance logs SERVICE why; appliance doctor checks the machine"
}

wait_for_supervisor() {
    local deadline=$((SECONDS + 30))
    until is_running; do
        if ((SECONDS >= deadline)); then
            fail "the unit does not start" "look at: journalctl -u appliance (with --user unless you are root)"
        fi
        sleep 0.2
    done
}

# --- install, uninstall ------------------------------------------------------------------------

prepare_home() {
    in_python 'Paths.from_environment().create()'
    log="$APPLIANCE_HOME/logs/install.log"
    (umask 077 && printf '%s install\n' "$(date -u +%FT%TZ)" >>"$log")
}

initialise() {
    step "creating $APPLIANCE_HOME and its secrets"
    local arguments=(init)
    [[ $demo == yes ]] && arguments+=(--demo)
    "$COMMAND" "${arguments[@]}"
}

finish() {
    say ""
    if [[ $start == no ]]; then
        say "installed, not started."
        say "next:  appliance up        start everything"
        return
    fi
    say "the appliance runs."
    say "next:  appliance           open the dashboard"
    say "       appliance status    the same in words"
    say "       appliance --help    everything else; man appliance is the manual, tab completes in a new shell"
    if [[ $APPLIANCE_HOME != "$HOME/.local/share/appliance" ]]; then
        say "       export APPLIANCE_HOME=$(printf %q "$APPLIANCE_HOME")   in each shell: this home is not the default one"
    fi
    offer_dashboard
}

offer_dashboard() {
    [[ -t 0 && -t 1 ]] || return 0
    if [[ $open == ask ]]; then
        local answer=""
        read -r -p "Open the dashboard now? [y/N] " answer || true
        [[ $answer == [yY]* ]] || return 0
    fi
    exec "$COMMAND"
}

install_all() {
    find_python
    in_python 'Paths.from_environment().sockets and 0'
    check_disk
    check_systemd
    prepare_home
    find_uv
    if is_running; then
        stop_running
    fi
    sync_environment --no-dev
    link_command
    initialise
    install_help
    install_unit
    start_appliance
    finish
}

uninstall_all() {
    find_python
    in_python 'Paths.from_environment().sockets and 0'
    if is_running; then
        stop_running
    fi
    if has_unit; then
        step "removing the systemd unit"
        control_systemd disable appliance >/dev/null 2>&1 || true
        rm -f "$(unit_file)"
        control_systemd daemon-reload
    fi
    local directory link
    for directory in "$(link_directory)" "$HOME/.local/bin" /usr/local/bin; do
        link="$directory/appliance"
        if is_our_link "$link"; then
            remove_help "$directory"
            step "removing $link"
            rm -f "$link"
        fi
    done
    delete_state
    say "uninstalled. The checkout $ROOT and its .venv are left; delete them when you like."
}

delete_state() {
    [[ -d $APPLIANCE_HOME ]] || return 0
    if [[ ! -d $APPLIANCE_HOME/secrets && ! -d $APPLIANCE_HOME/logs ]]; then
        warn "$APPLIANCE_HOME does not look like an appliance's home; it is left alone"
        return
    fi
    if [[ $assume_yes == no ]]; then
        local answer="" size
        size="$(du -sh "$APPLIANCE_HOME" | cut -f1)"
        if [[ ! -t 0 ]]; then
            say "state is kept in $APPLIANCE_HOME ($size); ./install.sh --uninstall --yes deletes it"
            return
        fi
        read -r -p "Delete all candles, models and secrets in $APPLIANCE_HOME ($size)? Type 'yes': " answer || true
        if [[ $answer != yes ]]; then
            say "state is kept in $APPLIANCE_HOME"
            return
        fi
    fi
    step "deleting $APPLIANCE_HOME"
    rm -rf -- "$(in_python 'print(Paths.from_environment().sockets)')"
    rm -rf -- "$APPLIANCE_HOME"
}

main() {
    parse_arguments "$@"
    if [[ $uninstall == yes ]]; then
        uninstall_all
    else
        install_all
    fi
}

main "$@"
