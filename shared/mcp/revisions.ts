/** The two families of MCP revisions: 2026-07-28 has no sessions, the older ones do. */
export type Era = 'modern' | 'legacy';

/** Every revision toolbus speaks, newest first. */
export const modernRevisions = ['2026-07-28'] as const;
export const legacyRevisions = ['2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05'] as const;
export const supportedRevisions: readonly string[] = [...modernRevisions, ...legacyRevisions];

export const latestModern = modernRevisions[0];
export const latestLegacy = legacyRevisions[0];

/** Assumed for a legacy HTTP request without `MCP-Protocol-Version` (2025-11-25, basic/transports). */
export const assumedLegacy = '2025-03-26';

export function isModernRevision(revision: string): boolean {
  return (modernRevisions as readonly string[]).includes(revision);
}

export function isLegacyRevision(revision: string): boolean {
  return (legacyRevisions as readonly string[]).includes(revision);
}

/** The era of a revision toolbus speaks; undefined for any other string. */
export function eraOf(revision: string): Era | undefined {
  if (isModernRevision(revision)) return 'modern';
  if (isLegacyRevision(revision)) return 'legacy';
  return undefined;
}
