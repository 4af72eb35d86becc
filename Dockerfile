# Bulkhead for production: Node.js and the program, no embedded PostgreSQL. Set DATABASE_URL and BANK_URL; see
# docs/operations.md. docker build -t bulkhead . && docker run --rm bulkhead --help
ARG NODE_VERSION=26.10.0

FROM node:${NODE_VERSION}-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# Without the optional packages, which are another Node.js and the embedded PostgreSQL; no package may run a script.
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund

FROM node:${NODE_VERSION}-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY migrations ./migrations
COPY src ./src
# Only the sandbox bank writes to it.
RUN mkdir /data && chown node:node /data
ENV DATA_DIR=/data
USER node
# As exec form: SIGTERM reaches the program itself, which then stops within 30 s.
ENTRYPOINT ["node", "src/main.ts"]
CMD ["start"]
