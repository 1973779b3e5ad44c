/** A bar on a terminal; nothing anywhere else. */
export interface ProgressBar {
  show(done: number, total: number, note: string): void;
  end(): void;
}

const width = 30;
/** A terminal need not be told more often, in milliseconds. */
const everyMs = 100;

export function createProgressBar(out: NodeJS.WriteStream): ProgressBar {
  if (!out.isTTY) return { show: () => undefined, end: () => undefined };
  let lastShown = 0;
  let shown = false;
  return {
    show(done, total, note) {
      const now = performance.now();
      if (now - lastShown < everyMs && done < total) return;
      lastShown = now;
      shown = true;
      const filled = total === 0 ? width : Math.min(width, Math.round((done / total) * width));
      out.write(`\r\u001b[2K${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${done}/${total}  ${note}`);
    },
    end() {
      if (shown) out.write('\n');
    },
  };
}
