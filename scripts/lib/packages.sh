# Installs Debian packages for commands and files that are missing. POSIX sh, to be sourced.
#
#   need iproute2:ip containernetworking-plugins:/usr/lib/cni/static
#
# takes words PACKAGE:COMMAND or PACKAGE:/PATH, and fails with a message if one cannot be had.

need() {
  packages_missing=
  for packages_pair; do
    packages_has "${packages_pair#*:}" || packages_missing="$packages_missing ${packages_pair%%:*}"
  done
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
  if packages_alone packages_install >"$packages_log" 2>&1; then
    rm -f "$packages_log"
    return 0
  fi
  cat "$packages_log" >&2
  rm -f "$packages_log"
  echo "packages: could not install:$packages_missing" >&2
  return 1
}

# Tools such as `ip` may lie in /usr/sbin, which is not on everyone's PATH.
packages_has() {
  case $1 in
    /*) [ -e "$1" ] ;;
    *) (PATH=${PATH:-}:/usr/sbin:/sbin && command -v "$1" >/dev/null) ;;
  esac
}

packages_install() {
  apt-get -qq update </dev/null &&
    DEBIAN_FRONTEND=noninteractive apt-get -qq -o DPkg::Lock::Timeout=600 install -y \
      --no-install-recommends $packages_missing </dev/null
}

# Runs a command while nobody else does so: of two that call apt, it turns one away.
packages_alone() {
  if command -v flock >/dev/null && [ -d /var/lib/dpkg ]; then
    (flock 9 && "$@") 9</var/lib/dpkg
  else
    "$@"
  fi
}
