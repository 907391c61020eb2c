# Debian's Redis under the names that the image of Valkey has.
FROM local/base
RUN apt-get update -q \
    && apt-get install -y -q --no-install-recommends redis-server \
    && ln -s redis-server /usr/bin/valkey-server \
    && ln -s redis-cli /usr/bin/valkey-cli \
    && install -d -o 999 -g 1000 /data
