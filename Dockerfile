# The image of deploy/static-pod.yaml: plugin, operator and status in one.

FROM node:26-slim AS build
WORKDIR /src
COPY package.json package-lock.json .npmrc ./
RUN npm ci
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run build

FROM node:26-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No production dependency needs its install script.
RUN npm ci --omit=dev --ignore-scripts

FROM node:26-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json LICENSE ./
COPY bin ./bin
COPY proto ./proto
COPY crds ./crds
COPY --from=build /src/dist ./dist
# Root, on purpose. Root key, state folder and sockets of a control-plane node
# belong to root, and the API server that connects is root too (kubeadm's default).
# deploy/static-pod.yaml drops all capabilities. To run as another user, give that
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
