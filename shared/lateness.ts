/**
 * For a timer that looks every `everyMs`: how many milliseconds later than planned it looks now, by `performance.now()`. That long this process stood still, or had more to do
 * than it can, and what came meanwhile may be waiting unread: nobody is to be called silent for it.
 */
export function createLateness(everyMs: number): (now: number) => number {
  let last = performance.now();
  return (now) => {
    const late = now - last - everyMs;
    last = now;
    return Math.max(0, late);
  };
}
