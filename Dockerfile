# The image of deploy/static-pod-plugin.yaml and -operator.yaml: every command in one.

# A tag may be moved to other bytes, a digest may not. This is the digest of that tag as
# public Dockerfiles record it; compare it with your registry's before you trust it, and
# give a newer one when Debian has security fixes: deploy/README.md says how.
ARG BASE=node:26.10.0-slim@sha256:ec7758ee051e457b468b32bde57b0879010b325bb9862718e9615225ce4aaae1

FROM ${BASE} AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY bin ./bin
COPY src ./src
RUN npm run build

FROM ${BASE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional

FROM ${BASE}
WORKDIR /app
ENV NODE_ENV=production
# Nothing is installed in a running container, so nothing needs to be able to.
RUN rm -rf /usr/local/lib/node_modules /usr/local/bin/npm /usr/local/bin/npx /opt/yarn-* /usr/local/bin/yarn /usr/local/bin/yarnpkg
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY bin ./bin
COPY proto ./proto
COPY console ./console
COPY crds ./crds
COPY --from=build /src/dist ./dist
# For kubectl exec and the pods' probes: claviger COMMAND.
RUN ln -s /app/bin/claviger.js /usr/local/bin/claviger
# Fills the compile cache of the plugin, 1 MB: a fifth of its CPU until the first answer is compiling.
RUN node --max-semi-space-size=1 bin/claviger.js plugin --help > /dev/null
# Root, on purpose. Root key, state folder and sockets of a control-plane node
# belong to root, and the API server that connects is root too (kubeadm's default).
# The static pods in deploy/ drop all capabilities. To run as another user, give that
# user root.key, stateDir and the socket folder, and set socketGroup to a group of
# the API server's.
#
# The flag keeps V8's short-lived garbage small in the plugin, which lives for
# months; the operator runs with it as well.
#
# No core dump: it would hold keys, and a pod cannot set the limit. It is 1 byte, as Linux
# does not heed 0 if core_pattern names a program, and dumps nothing at all with 1.
ENTRYPOINT ["prlimit", "--core=1", "node", "--max-semi-space-size=1", "/app/bin/claviger.js"]
CMD ["help"]
