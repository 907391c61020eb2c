# Debian's PostgreSQL, started as its own image starts it: the first time, it takes its password.
FROM local/base
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends postgresql \
    && install -d -o postgres -g postgres -m 700 /var/lib/postgresql/data
ENV PATH=/usr/lib/postgresql/15/bin:$PATH PGDATA=/var/lib/postgresql/data
USER postgres
CMD ["sh", "-c", "[ -s $PGDATA/PG_VERSION ] || { initdb --auth scram-sha-256 --pwfile $POSTGRES_PASSWORD_FILE && echo 'host all all all scram-sha-256' >> $PGDATA/pg_hba.conf; }; exec postgres -c listen_addresses=* -k /tmp"]
