# Finds Deno, or obtains the pinned one. POSIX sh, to be sourced after packages.sh; sets nothing but
# what stands here, and is silent but for one line on stderr that says which Deno was chosen.
#
#   find_deno              sets and exports DENO, an absolute path to a Deno that is new enough
#   obtain_deno TARGET     prints the path of the pinned Deno for x86_64 or aarch64 (for scripts/build)
#
# What is obtained lies outside the checkout, in $K8SLAN_TOOLS or the user's cache folder.

deno_pinned=2.9.6
deno_least_minor=9 # of major version 2

export DENO_NO_UPDATE_CHECK=1
# A company's proxy or mirror is trusted by the system, not by Deno's built-in list.
export DENO_TLS_CA_STORE="${DENO_TLS_CA_STORE:-system,mozilla}"

find_deno() {
  DENO=$(command -v deno) || DENO=
  if [ -n "$DENO" ] && deno_is_new_enough "$DENO"; then
    deno_say "$DENO, found on PATH"
  else
    DENO=$(obtain_deno "$(uname -m)") || return 1
    deno_is_new_enough "$DENO" || {
      echo "deno: $DENO does not run on this machine" >&2
      return 1
    }
    deno_say "$DENO"
  fi
  # Without a home folder Deno finds no place for its own cache.
  [ -n "${HOME:-}${DENO_DIR:-}${XDG_CACHE_HOME:-}" ] || export DENO_DIR="$(deno_tools)/deno-dir"
  export DENO
}

obtain_deno() {
  case $1 in
    x86_64 | amd64) deno_arch=x86_64 deno_npm=@deno/linux-x64-glibc ;;
    aarch64 | arm64) deno_arch=aarch64 deno_npm=@deno/linux-arm64-glibc ;;
    *)
      echo "deno: no build of Deno is known for '$1'; x86_64 and aarch64 are" >&2
      return 1
      ;;
  esac
  deno_home=$(deno_tools)/deno-$deno_pinned-$deno_arch
  if [ ! -x "$deno_home/deno" ]; then
    echo "deno: obtaining Deno $deno_pinned for $deno_arch" >&2
    mkdir -p "${deno_home%/*}" || return 1
    deno_work=$(mktemp -d "$deno_home.XXXXXX") || return 1
    deno_download "$deno_work" >"$deno_work/log" 2>&1 || {
      cat "$deno_work/log" >&2
      echo "deno: Deno $deno_pinned for $deno_arch could be had neither from npm, nor from PyPI, nor" \
        "from Deno's own site; install Deno 2.$deno_least_minor or later, or check the network" >&2
      rm -rf "$deno_work"
      return 1
    }
    chmod 755 "$deno_work/found/deno"
    mkdir -p "$deno_home"
    mv -f "$deno_work/found/deno" "$deno_home/deno"
    rm -rf "$deno_work"
  fi
  echo "$deno_home/deno"
}

# First what is installed already; as root on Debian, then, what can be installed for it.
deno_download() {
  deno_from_npm "$1" || deno_from_pypi "$1" || deno_from_site "$1" && return
  echo "Installing pip to obtain Deno"
  need python3-pip:pip3 && deno_from_pypi "$1" && return
  need npm:npm && deno_from_npm "$1" && return
  need ca-certificates:update-ca-certificates curl:curl unzip:unzip && deno_from_site "$1"
}

# The platform package that npm's package "deno" wraps: the binary alone, and no install script.
deno_from_npm() {
  command -v npm >/dev/null || return 1
  mkdir -p "$1/npm" "$1/found"
  npm pack --silent --pack-destination "$1/npm" "$deno_npm@$deno_pinned" &&
    tar -xzf "$1"/npm/*.tgz -C "$1/npm" &&
    mv "$1/npm/package/deno" "$1/found/deno"
}

deno_from_pypi() {
  mkdir -p "$1/pypi" "$1/found"
  python3 -m pip --version >/dev/null || return 1
  python3 -m pip download --quiet --no-deps --only-binary=:all: \
    --platform "manylinux_2_27_$deno_arch" --dest "$1/pypi" "deno==$deno_pinned" &&
    deno_unzip "$1"/pypi/*.whl "$1/pypi" &&
    mv "$1/pypi/deno-$deno_pinned.data/scripts/deno" "$1/found/deno"
}

# The same archive that https://deno.land/install.sh downloads, without touching anyone's profile.
deno_from_site() {
  command -v curl >/dev/null || return 1
  mkdir -p "$1/found"
  curl -fsSL --connect-timeout 10 --max-time 600 -o "$1/deno.zip" \
    "https://dl.deno.land/release/v$deno_pinned/deno-$deno_arch-unknown-linux-gnu.zip" &&
    deno_unzip "$1/deno.zip" "$1/found"
}

deno_unzip() {
  if command -v unzip >/dev/null; then
    unzip -q -o "$1" -d "$2"
  else
    python3 -m zipfile -e "$1" "$2"
  fi
}

deno_is_new_enough() {
  deno_version=$("$1" --version 2>/dev/null) || return 1
  deno_version=${deno_version#deno }
  deno_major=${deno_version%%.*}
  deno_minor=${deno_version#*.}
  deno_minor=${deno_minor%%.*}
  [ "$deno_major" -gt 2 ] ||
    { [ "$deno_major" -eq 2 ] && [ "$deno_minor" -ge "$deno_least_minor" ]; }
}

deno_tools() {
  echo "${K8SLAN_TOOLS:-${XDG_CACHE_HOME:-${HOME:-/var/cache}/.cache}/k8slan}"
}

deno_say() {
  echo "deno: $(echo "$deno_version" | head -n 1 | cut -d ' ' -f 1) at $1" >&2
}
