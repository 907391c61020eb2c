# Debian's HAProxy, started as its own image starts it.
FROM local/base
RUN apt-get update -q && apt-get install -y -q --no-install-recommends haproxy
USER haproxy
CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]
