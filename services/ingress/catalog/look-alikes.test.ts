import assert from 'node:assert/strict';
import { test } from 'node:test';
import { deceives, skeleton } from './look-alikes.ts';

test('look-alikes - honest names in any script deceive nobody', () => {
  for (const name of [
    'search',
    'get_user-2',
    'a.b/c',
    'поиск',
    '検索',
    'größe_ändern',
    'café',
    'αναζήτηση',
    'get_検索',
  ])
    assert.equal(deceives(name), undefined, name);
});

test('look-alikes - names spelled with letters of another script are told apart', () => {
  for (const name of ['ѕearch', 'ｓｅａｒｃｈ', '𝐬earch', 'pаypal', 'ցet', 'delete_ﬁle', 'поиск_fast', 'ΑΒ_tool'])
    assert.ok(deceives(name), name);
});

test('look-alikes - case, accents and foreign letters do not make another name', () => {
  for (const name of ['Search', 'SEARCH', 'séarch', 'ѕearch', 'ｓearch'])
    assert.equal(skeleton(name), skeleton('search'), name);
  assert.notEqual(skeleton('get_user'), skeleton('get.user'));
});
