#!/bin/sh
# k8slan @VERSION@ for @TARGET@: this script, then a tar archive with Deno and the program.
#
# The first start unpacks the archive into a cache folder; every start runs it from there. Once
# unpacked, no other command is started. Nothing is expected of the environment, for a container
# runtime may give none, and stdin is left to the program.

# The agent of a cluster reads these two lines as well (src/cluster/carried_program.ts).
id=@ID@
offset=@OFFSET@
case $0 in
  /*) K8SLAN_EXECUTABLE=$0 ;;
  *) K8SLAN_EXECUTABLE=$PWD/$0 ;;
esac

# with_caches FUNCTION ARGUMENT...: calls the function for one cache folder after the other, the
# folder as its first argument, until it succeeds.
with_caches() {
  each=$1
  shift
  if [ -n "$K8SLAN_CACHE_DIR" ]; then
    "$each" "$K8SLAN_CACHE_DIR" "$@"
    return
  fi
  "$each" /var/cache/k8slan "$@" && return
  case $XDG_CACHE_HOME:$HOME in
    /*) "$each" "$XDG_CACHE_HOME/k8slan" "$@" && return ;;
    :/?*) "$each" "$HOME/.cache/k8slan" "$@" && return ;;
  esac
  for folder in "${TMPDIR:-/tmp}/k8slan-cache-"*; do
    [ -d "$folder" ] && "$each" "$folder" "$@" && return
  done
  return 1
}

# Runs the program. A folder or file of another user is never trusted.
start() {
  dir=$1/$id
  [ -x "$dir/k8slan" ] && [ -O "$dir/k8slan" ] && [ -O "$dir" ] || return
  shift
  true 2>/dev/null >"$dir/used" # see prune
  DENO_DIR=$dir/deno-dir DENO_NO_UPDATE_CHECK=1 DENO_NO_PACKAGE_JSON=1
  export DENO_DIR DENO_NO_UPDATE_CHECK DENO_NO_PACKAGE_JSON K8SLAN_EXECUTABLE
  exec "$dir/k8slan" run @FLAGS@ \
    "$dir/app/main.js" "$@"
}

# Many first starts may happen at once: each unpacks for itself, the first rename wins.
unpack() (
  dir=$1/$id
  mkdir -p "$1" || exit
  [ -O "$1" ] || fail "$1 belongs to another user"
  work=$(mktemp -d "$1/unpack.XXXXXX") || exit
  trap 'rm -rf "$work" "$dir/${work##*/}"' EXIT # where mv puts it if another start was faster
  trap 'exit 1' HUP INT TERM
  tail -c "+$offset" "$K8SLAN_EXECUTABLE" | tar -xof - -C "$work" || exit
  [ -x "$work/k8slan" ] || fail "$1 does not allow programs to run"
  # Or a power failure could leave empty files under their final name.
  find "$work" -type f -exec sync {} + || sync
  [ ! -d "$dir" ] || [ -x "$dir/k8slan" ] || rm -rf "$dir" # damaged by someone
  mv "$work" "$dir" 2>/dev/null
  [ -x "$dir/k8slan" ] && prune "$1"
)

fail() {
  echo "$1"
  exit 1
}

# Removes what other versions left behind: not started for 30 days, or not unpacked to the end.
prune() {
  find "$1" -mindepth 2 -maxdepth 2 -name used -mtime +30 | while read -r used; do
    rm -rf "${used%/used}"
  done
  find "$1" -maxdepth 1 -name 'unpack.*' -mmin +60 -exec rm -rf {} +
  return 0
}

first_start() (
  exec </dev/null
  umask 077
  PATH=/usr/sbin:/usr/bin:/sbin:/bin${PATH:+:$PATH}
  with_caches unpack && exit
  [ -z "$K8SLAN_CACHE_DIR" ] && unpack "${TMPDIR:-/tmp}/k8slan-cache-$(id -u)"
)

# There the agent of a cluster lays it (src/cluster/program_folder.ts), for a container runtime may
# leave its plugins less memory than unpacking takes. It is never unpacked there from here.
[ -n "$K8SLAN_CACHE_DIR" ] || start /var/lib/k8slan/program "$@"
with_caches start "$@"
why=$(first_start 2>&1) && with_caches start "$@"
echo "k8slan: cannot unpack itself ($why); set K8SLAN_CACHE_DIR to a folder of this user, with" \
  "@MEGABYTES@ MB free, on a file system that allows programs to run" >&2
exit 1
