import { readFileSync } from 'node:fs';
import { exitCode, OperatorError } from '../../../shared/errors.ts';

/** The API key: from a variable for good, or from a file that may be replaced. */
export interface Key {
  current(): string | undefined;
  /** Reads the file again; one that cannot be read changes nothing. */
  renew(): void;
}

/** Throws OperatorError when the file cannot be read or the key cannot stand in a header. */
export function openKey(file: string | undefined, variable: string | undefined): Key {
  if (file === undefined) {
    const key = variable === undefined || variable === '' ? undefined : checked(variable.trim(), 'TOOLBUS_API_KEY');
    return { current: () => key, renew: () => undefined };
  }
  const read = (): string => {
    let text: string;
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown cause';
      throw new OperatorError(exitCode.usage, `--key-file ${file}: cannot be read (${code})`);
    }
    return checked(text.trim(), `--key-file ${file}`);
  };
  let key = read();
  return {
    current: () => key,
    renew() {
      try {
        key = read();
      } catch {
        // The last good one stays.
      }
    },
  };
}

function checked(key: string, from: string): string {
  if (/^[!-~]+$/.test(key)) return key;
  throw new OperatorError(exitCode.usage, `${from}: a key is one word of visible ASCII characters`);
}
