#!/bin/bash
# A Docker engine and base images on a Debian machine without an image registry: all from Debian's own packages.
#   deploy/tests/engine.sh start   make what is missing, start dockerd, say which variables lead to it
#   deploy/tests/engine.sh stop    stop it, and take its mounts, bridges and firewall rules away; images stay
# Needs root. Everything is in $TMDB_CONTAINERS (default: containers in the temporary folder).
set -euo pipefail
PLACE=${TMDB_CONTAINERS:-${TMPDIR:-/tmp}/containers}
CHECKOUT=$(cd "$(dirname "$0")/../.." && pwd)
R=$PLACE/R
CACHED=$PLACE/ctr
export DOCKER_HOST=unix://$R/run/docker.sock DOCKER_CONFIG=$PLACE/docker-config

skip() { # exit code 77: this machine cannot
  echo "skipped: $1" >&2
  exit 77
}

able() {
  [ "$(uname -s)" = Linux ] || skip "the engine needs Linux"
  [ "$(id -u)" = 0 ] || skip "the engine needs root"
  for tool in mmdebstrap unshare docker; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
  done
  [ -n "$(mirror)" ] || skip "no Debian mirror in the apt sources of this machine"
  unshare -m true 2>/dev/null || skip "this machine allows no mount namespaces"
}

mirror() { # the first address of Debian in the apt sources
  { cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true; } |
    sed -nE 's/^(URIs:|deb( \[[^]]*\])?) +([^ ]*debian\/?)( .*)?$/\3/p' | head -1
}

root_folder() { # root_folder NAME SUITE PACKAGES: a Debian of these packages
  [ -e "$PLACE/$1/etc/os-release" ] && return
  echo "making $1 ..." >&2
  rm -rf --one-file-system "$PLACE/$1.new" # never into what is mounted there
  mmdebstrap --quiet --dpkgopt=force-unsafe-io --variant=minbase --include="$3" "$2" "$PLACE/$1.new" "$(mirror)"
  trust "$PLACE/$1.new"
  mv "$PLACE/$1.new" "$PLACE/$1"
}

trust() { # the authorities that this machine trusts
  install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/ca-certificates.crt"
}

mounted() { mountpoint -q "$1"; }

pid_of() { # the id of our dockerd, if it runs
  local pid
  pid=$(cat "$PLACE/dockerd.pid" 2>/dev/null) && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] && echo "$pid"
}

rules() { chroot "$R" "/usr/sbin/iptables-$1"; } # rules save|restore

start_engine() {
  root_folder R trixie ca-certificates,docker.io,docker-cli,docker-compose,docker-buildx,iptables
  mkdir -p "$CACHED" "$R$CHECKOUT" "$R/ctr" "$R/old" "$R/etc/docker" "$DOCKER_CONFIG"
  cp /etc/resolv.conf "$R/etc/resolv.conf"
  echo '{"data-root": "/ctr/dockerdata", "hosts": ["unix:///run/docker.sock"]}' >"$R/etc/docker/daemon.json"
  [ -e "$DOCKER_CONFIG/cli-plugins" ] || cp -r "$R/usr/libexec/docker/cli-plugins" "$DOCKER_CONFIG/"
  pid_of >/dev/null && return
  for folder in proc sys dev; do
    mounted "$R/$folder" || { mount --rbind "/$folder" "$R/$folder" && mount --make-rslave "$R/$folder"; }
  done
  mounted "$R/run" || mount -t tmpfs tmpfs "$R/run"
  mounted "$R$CHECKOUT" || mount --bind "$CHECKOUT" "$R$CHECKOUT" # by the same path: compose.yaml mounts files of it
  mounted "$R/ctr" || mount --bind "$CACHED" "$R/ctr"
  rules save | sed -nE 's/^:FORWARD (DROP|ACCEPT) .*/\1/p' >"$PLACE/forward.before"
  # A mount namespace of its own with a root of its own: in a plain chroot `docker import` cannot remount /.
  R=$R setsid unshare -m bash -c '
    mount --make-rprivate / && mount --rbind "$R" "$R" && cd "$R" && pivot_root . old && cd / && umount -l /old
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    exec dockerd' >"$PLACE/dockerd.log" 2>&1 </dev/null &
  echo $! >"$PLACE/dockerd.pid"
  for _ in $(seq 120); do
    docker info >/dev/null 2>&1 && return
    kill -0 "$(cat "$PLACE/dockerd.pid")" 2>/dev/null || break
    sleep 0.5
  done
  tail -5 "$PLACE/dockerd.log" >&2
  echo "dockerd did not start: see $PLACE/dockerd.log" >&2
  exit 1
}

recipe() { echo "$*" | md5sum | cut -c 1-12; } # what an image is made of, in short

has_image() { # has_image TAG RECIPE: an image of this recipe is there
  [ "$(docker image inspect --format '{{index .Config.Labels "recipe"}}' "$1" 2>/dev/null)" = "$2" ]
}

tag_in() { sed -nE "s|^$2 *($1[^ ]+)( AS .*)?\$|\1|p" "$3" | head -1; }  # tag_in IMAGE WORD FILE: the image with its version

import_python() { # the image that the Dockerfiles begin with: Debian bookworm and the Python of this machine
  local tag python made
  tag=$(tag_in python: FROM "$CHECKOUT/deploy/docker/Dockerfile")
  python=$(python3.11 -c 'import sys; print(sys.base_prefix)') && [ -d "$python/lib/python3.11/ensurepip/_bundled" ] ||
    skip "the images need a Python 3.11 that is not Debian's own, such as one of pyenv"
  made=$(recipe "$python" "$(declare -f import_python)")
  has_image "$tag" "$made" && return
  root_folder python-root bookworm ca-certificates,netbase,tzdata,libbz2-1.0,libexpat1,libffi8,libgdbm6,libdb5.3,liblzma5,libncursesw6,libreadline8,libsqlite3-0,libssl3,libuuid1,zlib1g
  tar -C "$python" --exclude='site-packages/*' --exclude=__pycache__ --exclude=python3.11/test --exclude='*.a' -cf - \
    bin/python3.11 lib/python3.11 include/python3.11 $(cd "$python" && echo lib/libpython3*) | tar -C "$PLACE/python-root/usr/local" -xf -
  trust "$PLACE/python-root"
  chroot "$PLACE/python-root" /bin/sh -ec '
    ldconfig
    ln -sf python3.11 /usr/local/bin/python3
    ln -sf python3.11 /usr/local/bin/python
    python -m ensurepip >/dev/null 2>&1
    ln -sf pip3 /usr/local/bin/pip'
  tar -C "$PLACE/python-root" -c . | docker import --change "LABEL recipe=$made" --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt PIP_CERT=/etc/ssl/certs/ca-certificates.crt LANG=C.UTF-8' - "$tag" >/dev/null
}

import_services() { # Debian's packages under the names that compose.yaml has; Grafana is a stub
  local packages=postgresql-17,valkey-server,valkey-tools,prometheus,prometheus-node-exporter,victoria-metrics,nginx-light,busybox,wget,ca-certificates
  local base=tmdb-base/services:1 compose=$CHECKOUT/deploy/compose.yaml name made folder
  made=$(recipe "$packages")
  folder=services-$made
  root_folder "$folder" trixie "$packages"
  has_image "$base" "$made" || tar -C "$PLACE/$folder" -c . | docker import --change "LABEL recipe=$made" \
    --change 'ENV LANG=C.UTF-8 PATH=/usr/lib/postgresql/17/bin:/usr/sbin:/usr/bin:/sbin:/bin' - "$base" >/dev/null
  for name in postgres valkey/valkey prom/prometheus prom/node-exporter victoriametrics/vmagent nginx grafana/grafana; do
    local tag
    tag=$(tag_in "$name:" ' +image:' "$compose")
    made=$(recipe "$packages" "$(lines "${name##*/}")")
    has_image "$tag" "$made" || { echo "FROM $base" && lines "${name##*/}"; } |
      docker build --quiet --label "recipe=$made" --tag "$tag" - >/dev/null
  done
}

lines() { # the rest of a Dockerfile
  case $1 in
  postgres) # as the official image begins: on an empty volume, and over the socket alone, the scripts run first
    cat <<'DOCKERFILE'
RUN install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data && install -d -o postgres /var/run/postgresql /docker-entrypoint-initdb.d
COPY <<"SCRIPT" /entrypoint
#!/bin/bash
set -euo pipefail
export PGDATA=/var/lib/postgresql/data
if [ ! -s $PGDATA/PG_VERSION ]; then
  initdb --username "$POSTGRES_USER" --pwfile <(echo "$POSTGRES_PASSWORD") $POSTGRES_INITDB_ARGS
  echo 'host all all all scram-sha-256' >>$PGDATA/pg_hba.conf
  pg_ctl --wait --options "-c listen_addresses=''" start
  for script in /docker-entrypoint-initdb.d/*; do bash "$script"; done
  pg_ctl --wait --mode fast stop
fi
exec postgres -c listen_addresses='*'
SCRIPT
ENTRYPOINT ["bash", "/entrypoint"]
DOCKERFILE
    ;;
  valkey) echo 'WORKDIR /data' ;;
  nginx) echo 'WORKDIR /' ;;
  prometheus)
    echo 'RUN install -d -o nobody /prometheus'
    echo 'ENTRYPOINT ["prometheus"]'
    ;;
  vmagent) echo 'ENTRYPOINT ["vmagent"]' ;;
  node-exporter) echo 'ENTRYPOINT ["prometheus-node-exporter"]' ;;
  grafana) # no registry of packages has it: what answers the health check
    echo 'RUN install -d /www/api /var/lib/grafana && echo "{\"stub\": true}" >/www/api/health && chown 472 /var/lib/grafana'
    echo 'ENTRYPOINT ["busybox", "httpd", "-f", "-p", "3000", "-h", "/www"]'
    ;;
  esac
}

stop() {
  local pid
  if pid=$(pid_of); then
    kill "$pid"
    while [ -d "/proc/$pid" ]; do sleep 0.2; done
  fi
  rm -f "$PLACE/dockerd.pid"
  if [ -e "$PLACE/forward.before" ]; then
    local forward
    forward=$(head -1 "$PLACE/forward.before")
    rules save | grep -vE 'DOCKER|docker0|br-[0-9a-f]{12}' | sed "s/^:FORWARD DROP/:FORWARD ${forward:-ACCEPT}/" >"$PLACE/rules"
    rules restore <"$PLACE/rules"
    rm "$PLACE/forward.before" "$PLACE/rules"
  fi
  for bridge in $(ip -brief link show type bridge | awk '$1 == "docker0" || $1 ~ /^br-[0-9a-f]{12}$/ {print $1}'); do
    ip link delete "$bridge"
  done
  for folder in "ctr" "${CHECKOUT#/}" run dev sys proc; do
    while mounted "$R/$folder"; do umount -R -l "$R/$folder"; done
  done
}

case ${1:-} in
start)
  able
  mkdir -p "$PLACE"
  start_engine
  import_python
  import_services
  echo "export DOCKER_HOST=$DOCKER_HOST DOCKER_CONFIG=$DOCKER_CONFIG"
  ;;
stop) stop ;;
*)
  echo "engine.sh start|stop" >&2
  exit 2
  ;;
esac
