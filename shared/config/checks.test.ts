import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { unpinnedPackage } from './checks.ts';

describe('unpinnedPackage', () => {
  for (const [line, expected] of [
    ['npx -y pkg', 'pkg'],
    ['npx -y @scope/pkg', '@scope/pkg'],
    ['npx -y @scope/pkg@latest', '@scope/pkg'],
    ['npx -y @scope/pkg@1.2.3 --flag value', undefined],
    ['npx --package=a@1 b', undefined],
    ['npx -p a b', 'a'],
    ['/usr/bin/npx pkg', 'pkg'],
    ['npx.cmd pkg', 'pkg'],
    ['npx ./local', undefined],
    ['npx github:user/repo', undefined],
    ['npx', undefined],
    ['npm exec pkg', 'pkg'],
    ['npm run pkg', undefined],
    ['pnpm dlx pkg@1', undefined],
    ['bunx pkg', 'pkg'],
    ['uvx mcp-server-git', 'mcp-server-git'],
    ['uvx mcp-server-git==1.0', undefined],
    ['uvx --from mcp@1 x', undefined],
    ['node pkg', undefined],
  ] as const) {
    test(`${line} - ${expected === undefined ? 'is pinned or fetches nothing' : `would fetch any ${expected}`}`, () => {
      const [command, ...args] = line.split(' ');
      assert.equal(unpinnedPackage({ command, args }), expected);
    });
  }
});
