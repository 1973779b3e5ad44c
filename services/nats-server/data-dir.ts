import { chmod, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { exitCode, OperatorError } from '../../shared/errors.ts';

/** The files of one data directory. All paths are absolute and free of symbolic links, so that they can be compared. */
export interface DataDir {
  readonly root: string;
  readonly lock: string;
  /** Which binary was found to have a known checksum. */
  readonly checkedBinary: string;
  readonly config: string;
  readonly pid: string;
  readonly log: string;
  readonly ports: string;
  readonly store: string;
}

/** Makes the directory, readable by its owner alone, and names the files in it. Throws an `OperatorError` when that fails. */
export async function openDataDir(path: string): Promise<DataDir> {
  try {
    await mkdir(path, { recursive: true, mode: 0o700 });
    const root = await realpath(path);
    const nats = join(root, 'nats');
    await mkdir(join(nats, 'ports'), { recursive: true, mode: 0o700 });
    // An existing directory keeps its mode; the one that holds messages and a password must be closed in any case.
    await chmod(nats, 0o700);
    return {
      root,
      lock: join(root, 'toolbus.lock'),
      checkedBinary: join(nats, 'checked-binary.json'),
      config: join(nats, 'nats-server.conf'),
      pid: join(nats, 'nats-server.pid'),
      log: join(nats, 'nats-server.log'),
      ports: join(nats, 'ports'),
      store: join(nats, 'jetstream'),
    };
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new OperatorError(exitCode.usage, `cannot use the data directory ${path}: ${code}`, {
      cause: error,
      hint: 'choose another with --data-dir',
    });
  }
}
