# Installs Debian packages for commands that are missing. POSIX sh, to be sourced.
#
#   need_commands PACKAGE:COMMAND…   for example: need_commands iproute2:ip tcpdump:tcpdump
#   need_packages PACKAGE:PATH…      the same for packages known by a file rather than a command

need_commands() {
  packages_missing=
  for packages_pair; do
    packages_on_path "${packages_pair#*:}" || packages_missing="$packages_missing ${packages_pair%%:*}"
  done
  packages_install
}

need_packages() {
  packages_missing=
  for packages_pair; do
    [ -e "${packages_pair#*:}" ] || packages_missing="$packages_missing ${packages_pair%%:*}"
  done
  packages_install
}

# Tools such as `ip` may lie in /usr/sbin, which is not on everyone's PATH.
packages_on_path() {
  PATH=${PATH:-}:/usr/sbin:/sbin command -v "$1" >/dev/null
}

packages_install() {
  [ -n "$packages_missing" ] || return 0
  if ! command -v apt-get >/dev/null; then
    echo "packages: missing:$packages_missing (named as in Debian); install them with this system's" \
      "package manager" >&2
    return 1
  fi
  if [ "$(id -u)" != 0 ]; then
    echo "packages: missing:$packages_missing; run as root: apt-get install$packages_missing" >&2
    return 1
  fi
  echo "packages: installing$packages_missing" >&2
  packages_log=$(mktemp) || return 1
  # The lists are fetched once a shell, and only when something is missing.
  if {
    [ -n "${packages_updated:-}" ] || DEBIAN_FRONTEND=noninteractive apt-get -qq update
    # shellcheck disable=SC2086  # a list of words
    DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $packages_missing
  } </dev/null >"$packages_log" 2>&1; then
    packages_updated=1
    rm -f "$packages_log"
    return 0
  fi
  cat "$packages_log" >&2
  rm -f "$packages_log"
  echo "packages: could not install:$packages_missing" >&2
  return 1
}
