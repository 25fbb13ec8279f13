#!/bin/sh
exec /usr/lib/homespin/node /usr/lib/homespin/agent/main.ts "$@"
