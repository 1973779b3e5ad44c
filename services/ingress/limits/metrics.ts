import { Counter, Gauge, type Registry } from 'prom-client';
import type { DoorLimits } from './door-limits.ts';
import type { LimitState, Limits } from './limits.ts';

/** Tools have no series of their own: their limits are as many as tools. */
const shown: ReadonlySet<LimitState['kind']> = new Set(['global', 'agent', 'server', 'agent_on_server']);

/** Adds what limits have refused and how full they are. Names are those of the configuration. */
export function registerLimitMetrics(registry: Registry, limits: Limits, door: DoorLimits): void {
  const registers = [registry];
  new Counter({
    name: 'toolbus_limit_refusals_total',
    help: 'Requests refused by a limit, by what it limits.',
    labelNames: ['limit'],
    registers,
    collect() {
      this.reset();
      for (const [limit, count] of limits.refusals) this.inc({ limit }, count);
      this.inc({ limit: 'unauthenticated' }, door.refusals.unauthenticated);
      this.inc({ limit: 'requests' }, door.refusals.requests);
    },
  });
  new Gauge({
    name: 'toolbus_limit_tokens',
    help: 'Calls that a rate limit would let through now; below zero it was overdrawn and waits.',
    labelNames: ['limit', 'name'],
    registers,
    collect() {
      this.reset();
      for (const { kind, name, level } of limits.states()) {
        if (level !== undefined && shown.has(kind)) this.set({ limit: kind, name }, level);
      }
    },
  });
  new Gauge({
    name: 'toolbus_limit_inflight',
    help: 'Calls of this ingress that count against a concurrency limit.',
    labelNames: ['limit', 'name'],
    registers,
    collect() {
      this.reset();
      for (const { kind, name, concurrency, inFlight } of limits.states()) {
        if (concurrency !== undefined && shown.has(kind)) this.set({ limit: kind, name }, inFlight);
      }
    },
  });
}
