import { Counter, Gauge, type Registry } from 'prom-client';
import type { LiveCatalog } from '../catalog/create.ts';
import type { Checks } from './checks.ts';

/** What the checks keep from agents and refuse, for `/metrics`. */
export function registerCheckMetrics(registry: Registry, checks: Checks, catalog: Pick<LiveCatalog, 'withheld'>): void {
  const registers = [registry];
  new Gauge({
    name: 'toolbus_tools_withheld',
    help: 'Tools that agents do not get: definitions that are quarantined, or changed and not approved.',
    labelNames: ['server', 'why'],
    registers,
    collect() {
      this.reset();
      for (const { server, status, count } of catalog.withheld()) this.set({ server, why: status }, count);
    },
  });
  new Counter({
    name: 'toolbus_arguments_refused_total',
    help: 'Tool calls whose arguments did not fit the schema of the tool or a rule of the operator.',
    labelNames: ['by'],
    registers,
    collect() {
      this.reset();
      for (const by of ['schema', 'rule'] as const) this.inc({ by }, checks.refused[by]);
    },
  });
  new Counter({
    name: 'toolbus_validation_overruns_total',
    help: 'Times that a schema or arguments took too long, so that the thread that checks them was ended.',
    registers,
    collect() {
      this.reset();
      this.inc(checks.overruns);
    },
  });
}
