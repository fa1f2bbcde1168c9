#!/bin/bash
# Runs once, on an empty volume: two databases with an owner each, and a role for dashboards that may only read.
set -euo pipefail
psql --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres <<'SQL'
\getenv airflow AIRFLOW_DB_PASSWORD
\getenv films FILMS_DB_PASSWORD
\getenv grafana GRAFANA_DB_PASSWORD
create role airflow login password :'airflow';
create role films login password :'films';
create role tmdb_reader nologin;
create role grafana login password :'grafana' in role tmdb_reader;
create database airflow owner airflow;
create database films owner films;
revoke connect on database airflow, films from public;
grant connect on database films to grafana;
SQL
