# One image for the API, the workers, the migration and every other command of `rapport`. See docs/operations.md.

FROM python:3.13-slim AS build
WORKDIR /build
COPY requirements-uv.lock requirements-image.lock ./
RUN python -m pip install --no-cache-dir --require-hashes -r requirements-uv.lock
RUN python -m venv /opt/rapport
RUN uv pip install --no-cache --python /opt/rapport/bin/python --require-hashes -r requirements-image.lock
COPY pyproject.toml README.md ./
COPY domain domain
COPY infra infra
COPY services services
RUN uv pip install --no-cache --python /opt/rapport/bin/python --no-deps --no-build-isolation .

FROM python:3.13-slim
RUN useradd --system --user-group --no-create-home rapport
COPY --from=build /opt/rapport /opt/rapport
ENV PATH=/opt/rapport/bin:$PATH PYTHONUNBUFFERED=1
WORKDIR /opt/rapport
USER rapport
ENTRYPOINT ["rapport"]
CMD ["--help"]
