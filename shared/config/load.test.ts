import assert from 'node:assert/strict';
import { mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { exitCode, OperatorError } from '../errors.ts';
import { type LoadedConfig, type LoadOptions, loadConfig } from './load.ts';

describe('loadConfig', () => {
  let cwd: string;
  before(async () => {
    cwd = await mkdtemp(join(tmpdir(), 'toolbus-config-'));
  });
  after(() => rm(cwd, { recursive: true, force: true }));

  async function load(text: string, options: Partial<LoadOptions> & { name?: string } = {}): Promise<LoadedConfig> {
    const { name = 'toolbus.yaml', ...rest } = options;
    await writeFile(join(cwd, name), text);
    return loadConfig({ file: name, env: {}, cwd, forUp: false, ...rest });
  }

  async function refusal(text: string, options: Partial<LoadOptions> & { name?: string } = {}): Promise<string> {
    try {
      await load(text, options);
    } catch (error) {
      assert.ok(error instanceof OperatorError, `expected an OperatorError, got ${String(error)}`);
      assert.equal(error.code, exitCode.usage);
      return error.message;
    }
    throw new Error('the configuration was accepted');
  }

  describe('syntax', () => {
    const yaml = 'servers:\n  a:\n    command: x\n    args: ["1", "é😀"]\n';
    const json =
      '{\n\t// comment with "quotes"\n\t"servers": { "a": { "command": "x", /* * */ "args": ["1", "\\u00e9\\uD83D\\uDE00",], } },\n}\n';

    for (const [name, text] of [
      ['a.yaml', yaml],
      ['a.yml', yaml],
      ['a.json', json],
      ['a.jsonc', json],
      ['a.conf', json],
      ['b.conf', yaml],
      ['bom.json', `\uFEFF${json}`],
    ] as const) {
      test(`${name} - means the same in every syntax`, async () => {
        const { config, warnings } = await load(text, { name });
        assert.deepEqual(config.servers['a']?.args, ['1', 'é😀']);
        assert.equal(config.servers['a']?.type, 'stdio');
        assert.deepEqual(warnings, []);
      });
    }

    test('a comment sign inside a JSON text - is text', async () => {
      const { config } = await load('{"servers":{"a":{"url":"http://x/mcp","headers":{"A":"/* // \\" */"}}}}', {
        name: 'a.json',
      });
      assert.equal(config.servers['a']?.headers['A'], '/* // " */');
    });

    for (const [what, text, expected] of [
      ['duplicate key', 'servers: {}\nservers: {}\n', 'toolbus.yaml:2:1: servers: this key is a duplicate'],
      [
        'duplicate by alias of spelling',
        'agents: { 1: {}, "1": {} }\n',
        'toolbus.yaml:1:18: agents.1: this key is a duplicate',
      ],
      [
        'unclosed bracket',
        'servers: {\n  a: 1\n',
        'toolbus.yaml:3:1: the indentation or a closing bracket is wrong here',
      ],
      ['tab', 'servers:\n\ta: 1\n', 'toolbus.yaml:2:1: a tab cannot indent YAML; use spaces'],
      ['custom tag', 'servers: !!js/function "x"\n', 'toolbus.yaml:1:10: tags are not accepted'],
      ['binary tag', 'nats: { credentials: !!binary aGk= }\n', 'toolbus.yaml:1:22: tags are not accepted'],
      [
        'second document',
        'servers: {}\n---\nservers: {}\n',
        'toolbus.yaml:2:1: a second document begins here; the file must hold one',
      ],
      ['empty file', '', 'toolbus.yaml:1:1: the file is empty'],
      ['only comments', '# nothing\n', 'toolbus.yaml:1:1: the file is empty'],
      ['a list', '- a\n', 'toolbus.yaml:1:1: must be a map of keys and values, not a list'],
      ['alias of nothing', 'servers: *x\n', 'toolbus.yaml:1:10: servers: this alias names no anchor'],
      [
        'alias in itself',
        'servers: &x { a: *x }\n',
        'toolbus.yaml:1:18: servers.a: this alias lies inside what it names',
      ],
      [
        '__proto__',
        'servers: { __proto__: { command: x } }\n',
        'toolbus.yaml:1:12: servers.__proto__: this key is not accepted',
      ],
    ] as const) {
      test(`${what} - is refused with its place`, async () => {
        assert.equal((await refusal(text)).split('\n')[0], expected);
      });
    }

    test('many aliases - are refused before they multiply', async () => {
      const lines = Array.from(
        { length: 12 },
        (_, level) => `k${level + 1}: &a${level + 1} [${`*a${level},`.repeat(9)}]`,
      );
      assert.match(await refusal(`k0: &a0 [x]\n${lines.join('\n')}\n`), /too many (aliases|entries)/);
    });

    test('deep nesting - is refused before the parser meets it', async () => {
      for (const text of ['['.repeat(200_000), '{a: '.repeat(50_000), '- '.repeat(50_000), '? '.repeat(50_000)]) {
        assert.match(await refusal(text), /^toolbus\.yaml:1:\d+: this is nested too deeply$/);
      }
      const indented = Array.from({ length: 400 }, (_, level) => `${' '.repeat(level)}a:`).join('\n');
      assert.equal(await refusal(indented), 'toolbus.yaml:51:51: this is nested too deeply');
      assert.match(
        await refusal('{"a":'.repeat(50_000), { name: 'deep.json' }),
        /^deep\.json:1:\d+: this is nested too deeply$/,
      );
    });

    test('brackets in texts and comments - are no nesting', async () => {
      const brackets = '['.repeat(500);
      const text = `# ${brackets}\nservers:\n  a:\n    command: x${brackets}\n    args:\n    - "${brackets}"\n    - |\n      ${brackets}\n`;
      assert.equal((await load(text)).config.servers['a']?.args[0], brackets);
    });

    test('a file that is too large, no file or not UTF-8 - is refused with the cause', async () => {
      assert.match(await refusal(`# ${'x'.repeat(1 << 20)}`), /cannot be read: it is larger than 1048576 bytes/);
      await assert.rejects(loadConfig({ file: '.', env: {}, cwd, forUp: false }), /it is not a file/);
      await writeFile(join(cwd, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0xff]));
      await assert.rejects(
        loadConfig({ file: 'latin1.yaml', env: {}, cwd, forUp: false }),
        /latin1\.yaml: cannot be read: it is not UTF-8 text/,
      );
    });
  });

  describe('schema', () => {
    test('defaults - are those of the contract', async () => {
      const { config } = await load('servers: { a: { command: x } }\n');
      assert.equal(config.servers['a']?.timeoutMs, 60_000);
      assert.deepEqual(config.servers['a']?.breaker, {
        errorPercent: 50,
        minCalls: 10,
        windowMs: 10_000,
        resetMs: 5_000,
      });
      assert.equal(config.limits.bodyBytes, 1_048_576);
      assert.equal(config.auth.mode, 'keys');
      assert.equal(config.servers['toString'], undefined);
      assert.equal(config.agents['constructor'], undefined);
    });

    for (const [what, text, expected] of [
      [
        'unknown key',
        'servers: { a: { command: x, timeoutms: 5 } }',
        ':1:29: servers.a.timeoutms: is not a key here; did you mean timeoutMs?',
      ],
      ['unknown section', 'sevrers: {}', ':1:1: sevrers: is not a key here; did you mean servers?'],
      [
        'far from any key',
        'auth: { zzzzzz: 1 }',
        ':1:9: auth.zzzzzz: is not a key here; the keys are mode, resource, issuers, algorithms, agentClaim, scopes, initialScopes, stepUp',
      ],
      [
        'both command and url',
        'servers: { a: { command: x, url: "http://x" } }',
        ':1:34: servers.a.url: a server has a command or a url, not both',
      ],
      ['neither', 'servers: { a: { instances: 2 } }', ':1:12: servers.a: a server needs a command or a url'],
      [
        'wrong type for a url',
        'servers: { a: { url: "http://x", type: stdio } }',
        ':1:40: servers.a.type: a stdio server has a command, not a url',
      ],
      [
        'wrong type for a command',
        'servers: { a: { command: x, type: sse } }',
        ':1:35: servers.a.type: a server with a command is stdio',
      ],
      [
        'number for text',
        'servers: { a: { command: x, env: { PORT: 8080 } } }',
        ':1:42: servers.a.env.PORT: must be text, not a number; put it in quotes',
      ],
      ['keyword', 'auth: { mode: key }', ':1:15: auth.mode: must be one of keys, oauth, none; did you mean keys?'],
      [
        'server name',
        'servers: { a__b: { command: x } }',
        ':1:12: servers.a__b: a name may not hold "__", which separates server and tool',
      ],
      [
        'CIDR of an agent',
        'agents: { r: { ips: ["10.0.0.0/33"] } }',
        ':1:22: agents.r.ips[0]: must be an IP address or a range such as 10.0.0.0/8',
      ],
      [
        'CIDR of a proxy',
        'access: { trustedProxies: [localhost] }',
        ':1:28: access.trustedProxies[0]: must be an IP address or a range such as 10.0.0.0/8',
      ],
      ['rate', 'limits: { rate: 10/day }', ':1:17: limits.rate: must be a number above 0 per s, m or h, such as 100/s'],
      [
        'rate of nothing',
        'limits: { rate: 0.0/s }',
        ':1:17: limits.rate: must be a number above 0 per s, m or h, such as 100/s',
      ],
      ['missing', 'toolsets: { a: {} }', ':1:13: toolsets.a.tools: is missing'],
      ['no value', 'servers:', ':1:1: servers: has no value; give it one or remove the key'],
      [
        'header that would split',
        'servers: { a: { url: "http://x", headers: { A: "b\\r\\nC: d" } } }',
        ':1:48: servers.a.headers.A: must be one line of characters that a header can hold',
      ],
      [
        'same server twice',
        'servers: { web: { command: x }, Web: { command: y } }',
        ':1:33: servers.Web: is the same name as servers.web: servers and toolsets share /mcp/NAME, and case does not count',
      ],
      [
        'toolset with the name of a server',
        'servers: { web: { command: x } }\ntoolsets: { WEB: { tools: ["*"] } }',
        ':2:13: toolsets.WEB: is the same name as servers.web: servers and toolsets share /mcp/NAME, and case does not count',
      ],
      [
        'NATS address',
        'nats: { url: "http://x" }',
        ':1:14: nats.url: must be a NATS address such as nats://host:4222, or several with commas',
      ],
    ] as const) {
      test(`${what} - names file, line, column and key`, async () => {
        assert.equal(await refusal(text), `toolbus.yaml${expected}`);
      });
    }

    test('several problems - are listed in the order of the file', async () => {
      const message = await refusal('foo: 1\nauth: { mode: x }\nservers: { a: { comand: x } }\n');
      assert.deepEqual(
        message.split('\n').map((line) => line.split(': ')[0]),
        ['toolbus.yaml:1:1', 'toolbus.yaml:2:15', 'toolbus.yaml:3:12', 'toolbus.yaml:3:17'],
      );
    });

    test('what is allowed but not meant - is warned of', async () => {
      const { warnings } = await load(
        'servers: { a: { command: npx, args: ["-y", "@x/y"] }, b: { url: "http://far.example/mcp", headers: { A: b } } }\nagents: { r: { allow: [gone, "a__*"] } }\nauth: { mode: none }\n',
      );
      assert.deepEqual(
        warnings.map((line) => line.replace(/^toolbus\.yaml:\d+:\d+: /, '')),
        [
          'servers.a.args: runs whatever version of @x/y is newest; pin one: @x/y@1.2.3',
          'servers.b.url: its headers cross the network unencrypted; use https',
          'agents.r.allow[0]: is neither a toolset nor a pattern of tools (server__tool)',
          'auth.mode: anybody who reaches the listener may use every tool',
        ],
      );
    });
  });

  describe('references', () => {
    const server = (value: string): string => `servers:\n  a:\n    command: x\n    env: { TOKEN: '${value}' }\n`;
    const tokenOf = (loaded: LoadedConfig): string | undefined => loaded.config.servers['a']?.env['TOKEN'];

    for (const [text, expected] of [
      ['${A}', 'one'],
      ['${env:A}', 'one'],
      ['x-${A}-${A}', 'x-one-one'],
      ['${B:-two}', 'two'],
      ['${EMPTY:-two}', 'two'],
      ['${EMPTY}', ''],
      ['${B:-}', ''],
      ['${env:B:-a:-b}', 'a:-b'],
      ['$A', '$A'],
      ['$${A}', '${A}'],
      ['$$${A}', '$${A}'],
      ['${NESTED}', '${A}'],
      ['${YAML}', '"}\n  b: [evil]'],
      ['${toolbus:node}', process.execPath],
    ] as const) {
      test(`${text} - is ${JSON.stringify(expected)}`, async () => {
        const env = { A: 'one', EMPTY: '', NESTED: '${A}', YAML: '"}\n  b: [evil]' };
        assert.equal(tokenOf(await load(server(text), { env })), expected);
      });
    }

    for (const text of ['${', '${}', '${A', '${A-b}', '${1A}', '${foo:bar}', '${B:-${A}}', '${toolbus:x}']) {
      test(`${text} - cannot be read`, async () => {
        assert.match(
          await refusal(server(text), { env: { A: 'one' } }),
          /^toolbus\.yaml:4:19: servers\.a\.env\.TOKEN: holds a reference that cannot be read/,
        );
      });
    }

    test('an unset variable - is named with its place and nothing else', async () => {
      assert.equal(
        await refusal(server('Bearer hunter2 ${GITHUB_TOKEN}'), { env: { GITHUB_TOKN: 'hunter3' } }),
        'toolbus.yaml:4:19: servers.a.env.TOKEN: the variable GITHUB_TOKEN is not set; did you mean GITHUB_TOKN?',
      );
    });

    test('a number or a boolean from a variable - is one', async () => {
      const text = 'servers: { a: { command: x, instances: "${N}", disabled: "${D:-true}" } }';
      const { config } = await load(text, { env: { N: '3' } });
      assert.equal(config.servers['a']?.instances, 3);
      assert.equal(config.servers['a']?.disabled, true);
      assert.equal(
        await refusal(text, { env: { N: '65' } }),
        'toolbus.yaml:1:40: servers.a.instances: must be at most 64',
      );
      assert.equal(
        await refusal(text, { env: { N: 'hunter2' } }),
        'toolbus.yaml:1:40: servers.a.instances: must be a number, not text',
      );
    });

    test('a secret file - is read beside the configuration, without its last line break', async () => {
      await writeFile(join(cwd, 'token'), 'hunter2\n');
      const loaded = await load(server('Bearer ${file:token}'));
      assert.equal(tokenOf(loaded), 'Bearer hunter2');
      assert.deepEqual(loaded.secrets, ['hunter2']);
      assert.deepEqual(loaded.files, [join(cwd, 'toolbus.yaml'), join(cwd, 'token')]);
      await writeFile(join(cwd, 'token'), 'hunter3\n');
      assert.notEqual((await load(server('Bearer ${file:token}'))).digest, loaded.digest);
    });

    test('a secret file that cannot be read - is named with the cause', async () => {
      assert.match(
        await refusal(server('${file:/nowhere/x}')),
        /the file \/nowhere\/x cannot be read \(it does not exist\)/,
      );
      assert.match(
        await refusal(server('${file:/dev/zero}')),
        /the file \/dev\/zero cannot be read \(it is not a file\)/,
      );
    });

    test('a package - is its program, wherever it is installed', async () => {
      const token = tokenOf(await load(server('${package:@modelcontextprotocol/server-memory}')));
      assert.ok(token !== undefined && (await stat(token)).isFile());
      assert.match(await refusal(server('${package:../../etc}')), /is not installed here, or has no program/);
      assert.match(
        await refusal(server('${package:not-there-at-all}')),
        /the package not-there-at-all is not installed here/,
      );
    });

    test('a directory - is under the data directory, and made only when servers start', async () => {
      const dataDir = join(cwd, 'data');
      const text = server('${dir:a/b}/c');
      assert.equal(tokenOf(await load(text, { dataDir })), join(dataDir, 'a/b/c'));
      await assert.rejects(stat(dataDir));
      await load(text, { dataDir, makeDirectories: true });
      assert.ok((await stat(join(dataDir, 'a/b'))).isDirectory());
      assert.match(await refusal(server('${dir:../x}'), { dataDir }), /\.\.\/x leads out of the data directory/);
    });

    test('variables of toolbus - go before the file', async () => {
      const text = 'servers: { a: { command: x } }\nnats: { url: "nats://file" }\ncluster: { secret: from-the-file }\n';
      const { config } = await load(text, { env: { NATS_URL: 'nats://env:1', TOOLBUS_SECRET: 's'.repeat(40) } });
      assert.equal(config.nats.url, 'nats://env:1');
      assert.equal(config.cluster.secret, 's'.repeat(40));
      await assert.rejects(
        load(text, { env: { TOOLBUS_NATS: 'ftp://hunter2' } }),
        /^OperatorError: TOOLBUS_NATS must be a NATS address/,
      );
    });
  });

  describe("clients' files", () => {
    test('mcpServers - is servers; what only the client knows is warned of', async () => {
      const { config, warnings } = await load(
        JSON.stringify({
          numStartups: 3,
          mcpServers: {
            'My Server': {
              command: 'x',
              args: ['${workspaceFolder}', '${oddity}'.replace('oddity', 'a.b')],
              env: null,
              autoApprove: ['a'],
            },
            remote: { type: 'streamableHttp', url: 'https://h/mcp', headers: { K: '${input:api-key}' } },
            gem: { httpUrl: 'https://h/mcp' },
          },
        }),
        { name: 'client.json', env: { TOOLBUS_INPUT_API_KEY: 'hunter2' } },
      );
      assert.deepEqual(Object.keys(config.servers), ['My-Server', 'remote', 'gem']);
      assert.deepEqual(config.servers['My-Server']?.args, [cwd, '${a.b}']);
      assert.equal(config.servers['remote']?.type, 'http');
      assert.equal(config.servers['remote']?.headers['K'], 'hunter2');
      assert.equal(config.servers['gem']?.type, 'http');
      assert.deepEqual(warnings.map((line) => line.replace(/^client\.json:\d+:\d+: /, '')).sort(), [
        'keys of the client are ignored: numStartups',
        'mcpServers."My Server".args[1]: holds a reference that toolbus does not know; it stays as it is',
        'mcpServers."My Server".autoApprove: is not a key here; it is ignored',
        'mcpServers."My Server": is called My-Server here',
      ]);
    });

    test("VS Code's servers with inputs - is a client's file", async () => {
      const text =
        '{ "inputs": [{ "id": "k" }], "servers": { "a": { "type": "stdio", "command": "x", "envFile": ".env", } } }';
      const { config, warnings } = await load(text, { name: 'mcp.json' });
      assert.equal(config.servers['a']?.command, 'x');
      assert.equal(warnings.length, 1);
      assert.match(warnings[0] ?? '', /servers\.a\.envFile: is not a key here/);
    });

    test('an unset input - names the variable to set', async () => {
      assert.match(
        await refusal('{"mcpServers":{"a":{"command":"x","args":["${input:api-key}"]}}}', { name: 'c.json' }),
        /^c\.json:1:\d+: mcpServers\.a\.args\[0\]: the variable TOOLBUS_INPUT_API_KEY is not set$/,
      );
    });

    test('mcpServers in a file of ours - is strict and adds to servers', async () => {
      const ours = 'servers: { a: { command: x } }\nmcpServers: { b: { command: y } }\n';
      assert.deepEqual(Object.keys((await load(ours)).config.servers), ['a', 'b']);
      assert.match(
        await refusal('mcpServers: { a: { comand: x } }\nauth: {}\n'),
        /^toolbus\.yaml:1:15: mcpServers\.a: .*\n.*mcpServers\.a\.comand: is not a key here; did you mean command\?$/,
      );
      assert.equal(
        await refusal('servers: { a: { command: x } }\nmcpServers: { a: { command: y } }\n'),
        'toolbus.yaml:2:15: mcpServers.a: is a duplicate of servers.a',
      );
    });
  });

  describe('search', () => {
    test('order - is flag, variable, working directory, XDG, bundled example', async () => {
      const home = await mkdtemp(join(tmpdir(), 'toolbus-home-'));
      try {
        const env = { XDG_CONFIG_HOME: home, HOME: home };
        const at = async (options: Partial<LoadOptions> = {}): Promise<LoadedConfig> =>
          loadConfig({ env, cwd: home, forUp: false, ...options });
        await assert.rejects(at(), (error: unknown) => {
          assert.ok(error instanceof OperatorError && error.code === exitCode.usage);
          assert.ok(
            error.message.includes(join(home, 'toolbus.yaml')) &&
              error.message.includes(join(home, 'toolbus/toolbus.yaml')),
          );
          return true;
        });
        const bundled = await at({ forUp: true });
        assert.equal(bundled.bundled, true);
        assert.deepEqual(Object.keys(bundled.config.servers), [
          'everything',
          'filesystem',
          'memory',
          'sequential-thinking',
        ]);
        await symlink(home, join(home, 'toolbus'));
        await writeFile(join(home, 'toolbus.yaml'), 'servers: { a: { command: x } }');
        assert.equal((await at({ forUp: true, cwd: tmpdir() })).file, join(home, 'toolbus/toolbus.yaml'));
        assert.equal((await at()).file, join(home, 'toolbus.yaml'));
        await assert.rejects(
          at({ env: { ...env, TOOLBUS_CONFIG: 'gone.yaml' } }),
          /gone\.yaml: cannot be read: it does not exist/,
        );
        await assert.rejects(at({ file: 'lost.yaml', forUp: true }), /lost\.yaml: cannot be read: it does not exist/);
      } finally {
        await rm(home, { recursive: true, force: true });
      }
    });
  });

  describe('any input', () => {
    const secret = 'Zq7!canary-hunter2';

    /** A configuration whose values, here and there, refer to a secret, and are now and then of the wrong kind. */
    const value = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.constantFrom(
          '${SECRET}',
          'x ${SECRET} y',
          '${file:secret}',
          'http://${SECRET}/',
          '${SECRET:-}',
          '${SECRET',
        ),
      },
      fc.constantFrom('x', 'http://h/mcp', 'stdio', '10/s', 1, -1, true, null, [], {}),
    );
    const key = fc.constantFrom(
      'command',
      'url',
      'type',
      'instances',
      'era',
      'cwd',
      'timeoutMs',
      'disabled',
      'comand',
      'args',
      'env',
      'headers',
      'limits',
      'breaker',
      'tools',
    );
    const entry = fc.dictionary(
      key,
      fc.oneof(
        value,
        fc.array(value, { maxLength: 3 }),
        fc.dictionary(fc.constantFrom('rate', 'A', 'allow', 'burst'), value, { maxKeys: 3 }),
      ),
      { maxKeys: 5 },
    );
    const section = fc.oneof(
      fc.dictionary(fc.constantFrom('a', 'A', 'b b', '__x'), fc.oneof(entry, value), { maxKeys: 3 }),
      fc.dictionary(
        fc.constantFrom('mode', 'url', 'secret', 'allowIps', 'ips', 'keys', 'rate'),
        fc.oneof(value, fc.array(value, { maxLength: 2 })),
        { maxKeys: 3 },
      ),
      value,
    );
    const file = fc.dictionary(
      fc.constantFrom(
        'servers',
        'mcpServers',
        'inputs',
        'toolsets',
        'agents',
        'auth',
        'access',
        'limits',
        'audit',
        'nats',
        'cluster',
        'other',
      ),
      section,
      { maxKeys: 4 },
    );

    test('a generated configuration - is loaded or refused, and no secret is in what is said', async () => {
      await writeFile(join(cwd, 'secret'), `${secret}\n`);
      await fc.assert(
        fc.asyncProperty(file, async (content) => {
          const said = await load(JSON.stringify(content), { name: 'generated.json', env: { SECRET: secret } }).then(
            ({ warnings }) => warnings.join('\n'),
            (error: unknown) => {
              assert.ok(error instanceof OperatorError, String(error));
              return `${error.message} ${error.hint ?? ''}`;
            },
          );
          assert.ok(!said.includes('canary') && !said.includes('hunter2'), said);
        }),
        { numRuns: 150 },
      );
    });

    test('arbitrary text - never crashes the loader', async () => {
      const yamlish = fc
        .array(
          fc.constantFrom(
            'servers',
            'a',
            ':',
            ': ',
            '\n',
            '  ',
            '- ',
            '{',
            '}',
            '[',
            ']',
            '"',
            "'",
            '&x',
            '*x',
            '!!t',
            '|',
            '>',
            '#',
            '?',
            '%',
            '---',
            '\t',
            ',',
            '${A}',
            '<<',
            '__proto__',
          ),
          { maxLength: 40 },
        )
        .map((parts) => parts.join(''));
      await fc.assert(
        fc.asyncProperty(
          fc.oneof(yamlish, fc.string({ unit: 'binary', maxLength: 60 })),
          fc.constantFrom('f.yaml', 'f.json'),
          async (text, name) => {
            await load(text, { name }).catch((error: unknown) => {
              assert.ok(error instanceof OperatorError, String(error));
              assert.match(error.message, /^f\.(yaml|json):/);
            });
          },
        ),
        { numRuns: 300 },
      );
    });
  });
});
