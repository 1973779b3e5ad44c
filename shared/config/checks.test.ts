import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { unpinnedPackage } from './checks.ts';

describe('unpinnedPackage', () => {
  for (const [line, expected] of [
    ['npx -y pkg', 'pkg'],
    ['npx -y @scope/pkg', '@scope/pkg'],
    ['npx -y @scope/pkg@latest', '@scope/pkg'],
    ['npx -y @scope/pkg@1.2.3 --flag value', undefined],
    ['npx --package=a@1.0.0 b', undefined],
    ['npx -p a b', 'a'],
    ['/usr/bin/npx pkg', 'pkg'],
    ['npx.cmd pkg', 'pkg'],
    ['npx ./local', undefined],
    ['npx github:user/repo', undefined],
    ['npx', undefined],
    ['npm exec pkg', 'pkg'],
    ['npm run pkg', undefined],
    ['npx --package a@1.0.0 -p b x', 'b'],
    ['npx -y --registry https://registry.example.com pkg@1.2.3-beta.1', undefined],
    ['npx -y --registry https://registry.example.com pkg', 'pkg'],
    ['npx pkg@next', 'pkg'],
    ['npx pkg@^1.2.3', 'pkg'],
    ['npx pkg@1.x', 'pkg'],
    ['npx pkg@*', 'pkg'],
    ['cmd /c npx -y pkg', 'pkg'],
    ['C:\\Windows\\cmd.exe /C npx.cmd -y pkg@1.2.3', undefined],
    ['pnpm dlx pkg@1', 'pkg'],
    ['pnpm dlx pkg@1.0.0', undefined],
    ['pnpm exec pkg', undefined],
    ['bun x pkg', 'pkg'],
    ['bunx pkg', 'pkg'],
    ['uvx mcp-server-git', 'mcp-server-git'],
    ['uvx mcp-server-git==1.0', undefined],
    ['uvx mcp-server-git==1.*', 'mcp-server-git'],
    ['uvx mcp-server-git>=1.0', 'mcp-server-git'],
    ['uvx mcp-server-git@latest', 'mcp-server-git'],
    ['uvx --from mcp@1 x', undefined],
    ['uvx --from mcp[cli]==1.2 x', undefined],
    ['uvx --with extra mcp==1.2', 'extra'],
    ['uv tool run mcp-server-git', 'mcp-server-git'],
    ['uv run server.py', undefined],
    ['pipx run mcp-server-git', 'mcp-server-git'],
    ['pipx run --spec mcp==1.2 x', undefined],
    ['node pkg', undefined],
  ] as const) {
    test(`${line} - ${expected === undefined ? 'is pinned or fetches nothing' : `would fetch any ${expected}`}`, () => {
      const [command, ...args] = line.split(' ');
      assert.equal(unpinnedPackage({ command, args }), expected);
    });
  }
});
