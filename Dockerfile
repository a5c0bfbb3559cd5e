# The workflow in the versions of constraints.txt:
#
#   docker build -t lpi .
#   mkdir -p results figures  # Docker would make them as root
#   docker run --rm --user "$(id -u):$(id -g)" -v "$PWD/results:/lpi/results" -v "$PWD/figures:/lpi/figures" \
#     lpi --cores 2 --configfile config/quick.yaml
#
# The pages that the whole workflow writes into docs stay in the container.  The image has not been built yet, neither by hand nor
# by CI; tests hold the lines of this file against the README, the package and the pins.
FROM python:3.11-slim
# git: for the commit in provenance.json.
RUN apt-get update && apt-get install -y --no-install-recommends git && rm -rf /var/lib/apt/lists/*
WORKDIR /lpi
COPY constraints.txt pyproject.toml README.md LICENSE ./
COPY lpi lpi
RUN python -m venv .venv && .venv/bin/pip install --no-cache-dir -c constraints.txt -e .
COPY . .
# A home for whatever user it runs as: kernels that numba compiles, fonts that matplotlib finds, Snakemake's cache.
RUN git config --system --add safe.directory /lpi && chmod -R a+rwX /lpi && mkdir -m 1777 /home/lpi
ENV HOME=/home/lpi
ENTRYPOINT [".venv/bin/snakemake"]
CMD ["--cores", "2"]
