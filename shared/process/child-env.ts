/** What a child inherits besides its configured variables, as `sudo` and the MCP SDK have it, plus where to put files and which language. */
const inherited = ['HOME', 'LOGNAME', 'PATH', 'SHELL', 'TERM', 'USER', 'TMPDIR', 'LANG'] as const;

const inheritedOnWindows = [
  'APPDATA',
  'HOMEDRIVE',
  'HOMEPATH',
  'LOCALAPPDATA',
  'PATH',
  'PROCESSOR_ARCHITECTURE',
  'SYSTEMDRIVE',
  'SYSTEMROOT',
  'TEMP',
  'USERNAME',
  'USERPROFILE',
  'PROGRAMFILES',
] as const;

/**
 * The whole environment of a child: `configured` and a short list of harmless variables from `own`, nothing else.
 * Configured values win. The result has no prototype.
 */
export function childEnv(
  configured: Readonly<Record<string, string>>,
  own: NodeJS.ProcessEnv = process.env,
  platform: NodeJS.Platform = process.platform,
): Record<string, string> {
  const env: Record<string, string> = Object.create(null);
  const names: readonly string[] = platform === 'win32' ? inheritedOnWindows : inherited;
  for (const name of names) {
    const value = own[name];
    // "()" begins an exported bash function: code, not a value (Shellshock).
    if (value !== undefined && !value.startsWith('()')) env[name] = value;
  }
  for (const [name, value] of Object.entries(configured)) {
    // Windows compares names without case: `Path` must replace `PATH`, not stand beside it.
    if (platform === 'win32') delete env[name.toUpperCase()];
    env[name] = value;
  }
  return env;
}
