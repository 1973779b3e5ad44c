import path from 'node:path';

/** Where clients look for their files. */
export interface Surroundings {
  readonly platform: NodeJS.Platform;
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Of the user, when no variable says. */
  readonly home: string;
}

/** Directories of the user, joined in the manner of the platform. */
export interface UserDirectories {
  readonly home: string;
  /** Where programs with windows keep their settings. */
  readonly settings: string;
  join(...parts: string[]): string;
}

/** `HOME`, `XDG_CONFIG_HOME` and `APPDATA` go before what is usual. */
export function userDirectories({ platform, env, home: fallback }: Surroundings): UserDirectories {
  if (platform === 'win32') {
    const { join } = path.win32;
    const home = env['USERPROFILE'] || fallback;
    return { home, settings: env['APPDATA'] || join(home, 'AppData', 'Roaming'), join };
  }
  const { join, isAbsolute } = path.posix;
  const home = env['HOME'] || fallback;
  if (platform === 'darwin') return { home, settings: join(home, 'Library', 'Application Support'), join };
  // The XDG specification says to ignore a relative path.
  const xdg = env['XDG_CONFIG_HOME'];
  return { home, settings: xdg !== undefined && isAbsolute(xdg) ? xdg : join(home, '.config'), join };
}
