/** For the benchmark's own child processes: says on stdout that the process is ready, and where. */
export function ready(facts: Readonly<Record<string, string | number>>): void {
  process.stdout.write(`${JSON.stringify({ event: 'ready', ...facts })}\n`);
}
