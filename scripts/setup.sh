#!/usr/bin/env bash
# Makes this checkout ready to run. Idempotent: what is done is not done again, what changed is.
#
#   scripts/setup.sh start           what `npm start` needs
#   scripts/setup.sh test            what `npm test` needs
#   scripts/setup.sh ha              what `npm run test:ha` needs: that of `npm test`, and a Home Assistant Core
#   scripts/setup.sh bench           what `npm run bench` needs
#   scripts/setup.sh packages KIND   only the Debian packages for KIND; the one part that needs root
#
# It uses the network for apt and for npm, and for nothing else.
set -Eeuo pipefail
exec </dev/null

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
cache=$root/.cache
core=${HOMESPIN_HA:-$cache/ha}
script=$root/scripts/setup.sh
export PATH="$root/node_modules/.bin:$PATH:/usr/sbin:/sbin"

say() { printf '%s\n' "setup: $*"; }
fail() {
  printf '%s\n' "setup: $*" >&2
  exit 1
}

trap 'fail "line $LINENO of scripts/setup.sh failed"' ERR

# Run as root by sudo in a user's own checkout, everything but the packages is made by that user, so that it stays theirs.
as_owner=()
if [ "$(id -u)" = 0 ] && [ -n "${SUDO_UID:-}" ] && [ "$SUDO_UID" != 0 ] &&
  [ "$(stat -c %u "$root")" = "$SUDO_UID" ]; then
  as_owner=(env "HOME=$(getent passwd "$SUDO_UID" | cut -d: -f6)"
    setpriv "--reuid=$SUDO_UID" "--regid=${SUDO_GID:-$SUDO_UID}" --clear-groups --)
fi

# long NAME COMMAND…: runs it with its output in a log, says every 10 s that it is still at it, shows the log if it fails.
long() {
  local name=$1 log=$cache/${1// /-}.log began=$SECONDS pid shown=0
  shift
  say "$name …"
  # A group of its own, so that an interrupt ends all of it.
  setsid "$@" >"$log" 2>&1 &
  pid=$!
  trap 'kill -TERM -- "-$pid" 2>/dev/null; exit 130' INT TERM
  while kill -0 "$pid" 2>/dev/null; do
    sleep 0.5
    if ((SECONDS - began >= shown + 10)); then
      shown=$((SECONDS - began))
      say "  still at it after $shown s"
    fi
  done
  trap - INT TERM
  if ! wait "$pid"; then
    tail -n 60 "$log" >&2
    fail "$name failed; all of its output is in ${log#"$root"/}"
  fi
  say "  done in $((SECONDS - began)) s"
}

# digest PATH…: one hash over names and contents of the files below PATHs, without what is built there.
digest() {
  local each there=()
  for each in "$@"; do [ ! -e "$root/$each" ] || there+=("$each"); done
  (cd "$root" && find "${there[@]}" -type d \( -name node_modules -o -name build -o -name dist \) -prune -o -type f -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-64)
}

# stamped NAME HASH: whether the step NAME was done for HASH.
stamped() { [ "$(cat "$cache/$1.stamp" 2>/dev/null || true)" = "$2" ]; }
stamp() { printf '%s\n' "$2" >"$cache/$1.stamp"; }

has() { command -v "$1" >/dev/null 2>&1; }
has_any() {
  local each
  for each in "$@"; do has "$each" && return 0; done
  return 1
}

# ---------------------------------------------------------------------------------------------------------------------
# Debian packages

# The compiler of the sanitizer and fuzzing builds, with the libraries that those link: clang 14, or what there is.
clang_packages() {
  if has clang-14 || [ -n "$(apt-cache madison clang-14 2>/dev/null)" ]; then
    echo clang-14 libclang-rt-14-dev
  else
    echo clang libclang-rt-dev
  fi
}

has_clang() {
  local name
  name=$(clang_packages | cut -d' ' -f1)
  has "$name" && [ -n "$(find "$("$name" -print-resource-dir)/lib" -name 'libclang_rt.fuzzer*.a' 2>/dev/null)" ]
}

# A browser without a window; where Debian has it only with one, that.
chromium_package() {
  if [ -n "$(apt-cache madison chromium-headless-shell 2>/dev/null)" ]; then
    echo chromium-headless-shell
  else
    has chromium || echo chromium
  fi
}

# Whether containers can be run here, not only asked for.
has_docker() { has docker && [ -n "$(docker version --format '{{.Server.Version}}' 2>/dev/null)" ]; }

# Prints the packages that are missing for KIND.
missing_packages() {
  has_any g++ clang++ c++ || echo g++
  has make || echo make
  has python3 || echo python3
  has setpriv || echo util-linux
  case $1 in
    test | ha)
      [ "$1" = test ] || has_docker || has debootstrap || echo debootstrap
      [ "$1" = test ] || has_docker || has buildah || echo buildah
      has mosquitto || echo mosquitto
      has mosquitto_pub || echo mosquitto-clients
      has dig || echo bind9-dnsutils
      has curl || echo curl
      has chromium-headless-shell || chromium_package
      has nft || echo nftables
      has iptables-nft || echo iptables
      has ip || echo iproute2
      has openssl || echo openssl
      has tcpdump || echo tcpdump
      has tcpreplay || echo tcpreplay
      has ethtool || echo ethtool
      [ -x /usr/sbin/sshd ] || echo openssh-server
      has ssh || echo openssh-client
      has ps || echo procps
      has apparmor_parser || echo apparmor
      has_clang || clang_packages
      ;;
    bench)
      has nft || echo nftables
      has iptables-nft || echo iptables
      has conntrack || echo conntrack
      has ip || echo iproute2
      has tcpreplay || echo tcpreplay
      has ethtool || echo ethtool
      ;;
  esac
}

# apt-get that starts no server: invoke-rc.d and deb-systemd-invoke ask policy-rc.d, which says no while this runs.
policy=/usr/sbin/policy-rc.d
policy_set=
plain=
clean_up() {
  [ -z "$plain" ] || rm -rf "$plain"
  if [ -n "$policy_set" ]; then
    rm -f "$policy"
    [ ! -e "$policy.homespin" ] || mv "$policy.homespin" "$policy"
    policy_set=
  fi
  # All but a whole Debian, in which root owns what is root's.
  [ -z "${as_owner[*]}" ] || find "$cache" -path "$core/root" -prune -o -exec chown -h "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" {} +
}

# apt-get that starts no server: invoke-rc.d and deb-systemd-invoke ask policy-rc.d, which says no while this runs.
install_packages() {
  [ ! -e "$policy" ] || mv "$policy" "$policy.homespin"
  policy_set=1
  printf '#!/bin/sh\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  export DEBIAN_FRONTEND=noninteractive
  long 'installing packages' apt-get -q -y -o Dpkg::Use-Pty=0 install --no-install-recommends "$@"
  clean_up
  # Installed for the tests, which start their own: not at boot either.
  local server
  for server in mosquitto:mosquitto openssh-server:ssh; do
    case " $* " in *" ${server%%:*} "*)
      ! has systemctl || systemctl disable --quiet "${server#*:}.service" >/dev/null 2>&1 || true
      ;;
    esac
  done
}

packages() {
  local kind=$1 missing
  missing=$(missing_packages "$kind" | tr '\n' ' ')
  [ -n "${missing// /}" ] || return 0
  has apt-get || fail "these are missing, and this is no Debian that could install them: $missing"
  if [ "$(id -u)" != 0 ]; then
    say "these Debian packages are missing: $missing" >&2
    say 'installing them needs root. Run this once, then the same command again:' >&2
    printf '\n  sudo bash %q packages %s\n\n' "$script" "$kind" >&2
    exit 1
  fi
  say "Debian packages are missing: $missing"
  long 'reading the package lists' apt-get -q update
  # Which ones there are is known only now.
  mapfile -t missing_list < <(missing_packages "$kind" | tr ' ' '\n')
  install_packages "${missing_list[@]}"
  missing=$(missing_packages "$kind" | tr '\n' ' ')
  [ -z "${missing// /}" ] || fail "these are still missing: $missing"
}

# ---------------------------------------------------------------------------------------------------------------------
# npm packages, Node 24 among them

# Whether what is installed is what the lockfile says, for a node_modules that another run of npm made.
same_as_lockfile() {
  [ -e "$root/node_modules/.package-lock.json" ] || return 1
  has node || return 1
  node -e '
    const { readFileSync, existsSync } = require("node:fs")
    const read = (path) => JSON.parse(readFileSync(path, "utf8")).packages
    const wanted = read("package-lock.json"), present = read("node_modules/.package-lock.json")
    for (const [path, entry] of Object.entries(wanted)) {
      if (!path.startsWith("node_modules/") && !path.includes("/node_modules/")) continue
      if (!existsSync(path) && entry.optional) continue
      if (!existsSync(path) || present[path]?.version !== entry.version) process.exit(1)
    }' >/dev/null 2>&1
}

# What installs the rest. Older Nodes leave out parts that say that they need a newer one (rolldown, for the page). npm 10 reads the
# lockfile only with `overrides` in package.json: it would miss a TypeScript 5 beside i18next.
right_npm() {
  local wanted='Homespin is set up by Node 20.19 or later, or 22.12 or later, with npm 10 or later'
  has node && has npm || fail "$wanted; one of them is missing. See https://nodejs.org/en/download"
  local node npm
  node=$(node --version) npm=$(npm --version)
  { least "${node#v}" 22 12 || { [ "${node%%.*}" = v20 ] && least "${node#v}" 20 19; }; } && least "$npm" 10 0 ||
    fail "$wanted; here are Node ${node#v} and npm $npm (Debian 12's own are older). See https://nodejs.org/en/download"
}

# least VERSION MAJOR MINOR: whether it is that one or a later one.
least() {
  local major minor
  IFS=. read -r major minor _ <<<"$1"
  [[ $major$minor =~ ^[0-9]+$ ]] && ((major > $2 || (major == $2 && minor >= $3)))
}

# npm 10 and before take away the link of the Node for another processor, which has the same name.
link_node() {
  local bin=$root/node_modules/.bin each
  [ ! -x "$bin/node" ] || return 0
  for each in x64 arm64; do
    [ -x "$root/node_modules/node-linux-$each/bin/node" ] || continue
    "${as_owner[@]}" ln -sfn "../node-linux-$each/bin/node" "$bin/node"
  done
}

npm_packages() {
  local hash
  hash=$(digest package.json package-lock.json .npmrc {agent,native,panel,toolchain}/package.json)
  if [ -d "$root/node_modules" ] && stamped npm "$hash"; then return; fi
  if ! (cd "$root" && same_as_lockfile); then
    right_npm
    long 'installing npm packages' "${as_owner[@]}" env -C "$root" npm ci --ignore-scripts \
      --no-audit --no-fund --prefer-offline
  fi
  link_node
  stamp npm "$hash"
}

# Prints where Node 24 and its headers are.
node_home() {
  local node=$root/node_modules/.bin/node
  [ -x "$node" ] || fail "there is no Node 24 for $(uname -sm): Homespin runs on Linux on x86-64 and arm64."
  dirname "$(dirname "$(readlink -f "$node")")"
}

# ---------------------------------------------------------------------------------------------------------------------
# What is built

addon() {
  local home hash compiler
  home=$(node_home)
  if ! has g++ && has clang++; then export CC=clang CXX=clang++; fi
  compiler=$("${CXX:-c++}" --version 2>/dev/null | head -n 1)
  hash=$({ digest native && echo "$compiler" && "$home/bin/node" --version; } | sha256sum | cut -c1-64)
  if ls "$root"/native/build/Release/*.node >/dev/null 2>&1 && stamped addon "$hash"; then return; fi
  # make cannot live with spaces and the like in paths: then the headers are reached through another one.
  if [[ $home =~ [^A-Za-z0-9/_.@+-] ]]; then
    plain=$(mktemp -d /tmp/homespin-setup.XXXXXX)
    chmod 755 "$plain"
    ln -s "$home" "$plain/node"
    home=$plain/node
  fi
  long 'building the native addon' "${as_owner[@]}" node "$root/node_modules/node-gyp/bin/node-gyp.js" \
    configure build -C "$root/native" "--nodedir=$home" -j "$(nproc)"
  stamp addon "$hash"
}

page() {
  local hash
  hash=$(digest panel protocol package-lock.json)
  if [ -e "$root/panel/dist/index.html" ] && stamped page "$hash"; then return; fi
  long 'building the page' "${as_owner[@]}" node "$root/node_modules/vite/bin/vite.js" build "$root/panel"
  stamp page "$hash"
}

nodes() {
  local hash
  hash=$(digest nodes protocol scripts/build-nodes.ts tsconfig.json tsconfig.build.json package.json)
  if [ -d "$root/dist/nodes" ] && stamped nodes "$hash"; then return; fi
  long 'building the Node-RED nodes' "${as_owner[@]}" node "$root/scripts/build-nodes.ts"
  stamp nodes "$hash"
}

home_assistant() {
  local hash
  hash=$(digest test/ha/core-make.ts test/ha/requirements.py)
  if [ -e "$core/made" ] && stamped core "$hash"; then return; fi
  [ "$(id -u)" = 0 ] || fail 'Home Assistant Core is made and started in a chroot: that needs root.'
  long 'installing Home Assistant Core' node "$root/test/ha/core-make.ts"
  stamp core "$hash"
}

# ---------------------------------------------------------------------------------------------------------------------

kind=${1:-}
case $kind in
  start | test | ha | bench) ;;
  packages)
    case ${2:-} in start | test | ha | bench) ;; *) fail 'packages for what? start, test, ha or bench' ;; esac
    ;;
  *)
    sed -n '2,/^set /{/^set /d;s/^# \{0,1\}//;p}' "$script"
    exit 2
    ;;
esac

[ "$(uname -s)" = Linux ] || fail 'Homespin reads packets from the Linux kernel: it runs on Linux only.'

if [ "$kind" = packages ]; then
  cache=$(mktemp -d)
  trap 'clean_up; rm -rf "$cache"' EXIT
  packages "$2"
  say 'the packages are there'
  exit
fi

trap clean_up EXIT
mkdir -p "$cache"
[ -z "${as_owner[*]}" ] || chown "$SUDO_UID:${SUDO_GID:-$SUDO_UID}" "$cache"
if has flock; then
  # Two at once would build over each other.
  exec 9>"$cache/setup.lock"
  if ! flock -n 9; then
    say 'another set-up is at work here; waiting for it'
    flock -w 1200 9 || fail 'the other set-up does not end'
  fi
fi
packages "$kind"
npm_packages
addon
if [ "$kind" != bench ]; then
  page
  nodes
fi
[ "$kind" != ha ] || home_assistant
