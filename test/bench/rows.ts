/** A line of the table of figures. */
export interface Row {
  readonly label: string;
  readonly metric: string;
  readonly unit: string;
}

const agents = [1, 16, 64, 256];

export const rows: readonly Row[] = [
  ...agents.flatMap((count): Row[] => [
    { label: `${plural(count)}: p50`, metric: `c${count}.p50`, unit: 'ms' },
    { label: `${plural(count)}: p99`, metric: `c${count}.p99`, unit: 'ms' },
    { label: `${plural(count)}: throughput`, metric: `c${count}.rps`, unit: 'calls/s' },
    { label: `${plural(count)}: CPU`, metric: `c${count}.cpu`, unit: 's/1k' },
  ]),
  ...['ingress', 'worker', 'nats'].flatMap((name): Row[] => [
    { label: `64 agents: CPU, ${name}`, metric: `c64.cpu.${name}`, unit: 's/1k' },
    { label: `64 agents: RSS, ${name}`, metric: `c64.rss.${name}`, unit: 'MiB' },
  ]),
  { label: '64 agents: CPU of the other targets', metric: 'c64.others', unit: '% of one' },
  { label: 'result of 100 B: p50', metric: 'result100b.p50', unit: 'ms' },
  { label: 'result of 16 KiB: p50', metric: 'result16k.p50', unit: 'ms' },
  { label: 'result of 1 MiB: p50', metric: 'result1m.p50', unit: 'ms' },
  { label: 'list of 251 tools: p50', metric: 'list251.p50', unit: 'ms' },
  { label: 'list of 251 tools: p99', metric: 'list251.p99', unit: 'ms' },
  { label: 'list of 2,000 tools: p50', metric: 'list2000.p50', unit: 'ms' },
  { label: 'list of 2,000 tools: p99', metric: 'list2000.p99', unit: 'ms' },
  { label: '1,000 sessions', metric: 'sessions.mib', unit: 'MiB' },
  { label: 'fast server alone: p99', metric: 'alone.p99', unit: 'ms' },
  { label: '… beside 64 hung calls: p99', metric: 'beside.p99', unit: 'ms' },
  { label: 'one worker, 10 ms tool', metric: 'worker1.rps', unit: 'calls/s' },
  { label: 'two workers', metric: 'worker2.rps', unit: 'calls/s' },
];

function plural(count: number): string {
  return count === 1 ? '1 agent' : `${count} agents`;
}
