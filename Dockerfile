# A small image without pip, compilers or secrets, for any user but root.
ARG PYTHON=python:3.13.5-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv --without-pip /opt/authserver
COPY requirements/base.txt requirements/build.txt requirements/
RUN python -m pip --python /opt/authserver/bin/python install --require-hashes -r requirements/base.txt \
    && python -m pip install --require-hashes -r requirements/build.txt
COPY pyproject.toml README.md ./
COPY config config
COPY authserver authserver
RUN python -m pip wheel --no-deps --no-build-isolation --wheel-dir /dist . \
    && python -m pip --python /opt/authserver/bin/python install --no-deps /dist/authserver-*.whl

FROM ${PYTHON}
RUN useradd --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin authserver \
    && install -d -m 0700 -o authserver -g authserver /var/lib/authserver /var/lib/authserver/keys
COPY --from=build /opt/authserver /opt/authserver
ENV PATH=/opt/authserver/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
WORKDIR /var/lib/authserver
USER 10001:10001
EXPOSE 9000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9000/healthz', timeout=2)"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["authserver"]
CMD ["serve", "--host", "0.0.0.0", "--port", "9000"]
