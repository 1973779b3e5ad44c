import assert from 'node:assert/strict';
import { access, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { configJsonSchema } from '../shared/config/json-schema.ts';
import { loadConfig } from '../shared/config/load.ts';
import { toolbusRoot } from '../shared/config/packages.ts';

const deploy = join(toolbusRoot(), 'deploy');
const examples = join(deploy, 'examples');

describe('deploy/examples', async () => {
  for (const story of await readdir(examples)) {
    test(`${story} - loads with nothing set and nothing to warn of`, async () => {
      const file = join(examples, story, 'toolbus.yaml');
      const { warnings, config } = await loadConfig({ file, env: {}, cwd: examples, forUp: false });
      assert.deepEqual(warnings, []);
      assert.ok(Object.keys(config.servers).length > 0);
    });

    test(`${story} - names its schema and says what it shows`, async () => {
      const [line = ''] = (await readFile(join(examples, story, 'toolbus.yaml'), 'utf8')).split('\n');
      const schema = /^# yaml-language-server: \$schema=(\S+)$/.exec(line)?.[1];
      assert.ok(schema !== undefined, line);
      await access(join(examples, story, schema));
      assert.match(await readFile(join(examples, story, 'README.md'), 'utf8'), /^# \S/);
    });
  }
});

describe('deploy/config.schema.json', () => {
  test('the file - is what the schema generates (node --import tsx deploy/generate-schema.ts)', async () => {
    const shipped = await readFile(join(deploy, 'config.schema.json'), 'utf8');
    assert.equal(shipped, `${JSON.stringify(configJsonSchema(), null, 2)}\n`);
  });

  test('every field - is described', () => {
    const undescribed: string[] = [];
    const visit = (node: unknown, path: string): void => {
      if (typeof node !== 'object' || node === null) return;
      for (const [key, value] of Object.entries(node)) {
        if (key === 'properties' && typeof value === 'object' && value !== null) {
          for (const [name, field] of Object.entries(value)) {
            if (!('description' in Object(field))) undescribed.push(`${path}.${name}`);
          }
        }
        visit(value, `${path}/${key}`);
      }
    };
    visit(configJsonSchema(), '');
    assert.deepEqual(undescribed, []);
  });
});
