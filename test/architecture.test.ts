// The import law of the design: contracts ← lib ← stores ← stages ← app. A store knows no other store, a stage no other
// stage and of a store only its port. The page knows contracts/live.ts alone.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imports, type SourceFile, sources } from './support/checker.ts';

const LAYERS = ['contracts', 'lib', 'stores', 'stages', 'app'] as const;

/** What stages may import of a store: its port and what is pure there. Everything else is an adapter. */
const PORTS: Readonly<Record<string, readonly string[]>> = {
  broker: ['broker', 'dead-letters', 'last-written', 'position-filter'],
  shop: ['shop', 'changes', 'shop-names'],
  warehouse: ['warehouse'],
  'metrics-store': ['metrics-store'],
};

const WEB = 'src/stages/dashboard/web/';
/** What the page and its server say to each other. */
const PAGE_CONTRACTS = ['alerts', 'feed', 'live', 'people', 'reconciliation'].map(
  (name) => `src/contracts/${name}.ts`,
);
const isTest = (path: string): boolean => /\.(test|suite)\.ts$|\/testing\//.test(path);
const parts = (path: string): string[] => path.replace(/^src\//, '').split('/');

/** Why this file may not import that one, or null where it may. */
function violation(from: string, to: string): string | null {
  if (!to.startsWith('src/'))
    return isTest(from) || from === 'src/app/worker.ts' ? null : 'source imports what is no source';
  const [layer, folder] = parts(from);
  const [target, targetFolder, targetFile] = parts(to);
  if (isTest(from)) {
    const foreignStage = layer === 'stages' && target === 'stages' && folder !== targetFolder;
    return foreignStage || (target === 'app' && layer !== 'app')
      ? 'a test beside the code imports another stage or the app'
      : null;
  }
  if (isTest(to)) return 'source imports a test';
  if (from.startsWith(WEB)) {
    return to.startsWith(WEB) || PAGE_CONTRACTS.includes(to)
      ? null
      : 'the page imports its own contracts only';
  }
  if (to.startsWith(WEB)) return 'nobody imports the page';
  if (layer === 'services')
    return target === 'lib' || target === 'services' ? null : 'services import lib only';
  if (target === 'services') return layer === 'app' ? null : 'only app starts services';
  const [rank, targetRank] = [LAYERS.indexOf(layer as never), LAYERS.indexOf(target as never)];
  if (rank < 0 || targetRank < 0) return 'a folder that the design does not know';
  if (targetRank > rank) return `${layer} must not know ${target}`;
  if (layer === 'stores' && target === 'stores' && folder !== targetFolder)
    return 'a store knows no other store';
  if (layer === 'stages' && target === 'stages' && folder !== targetFolder)
    return 'a stage knows no other stage';
  if (
    layer === 'stages' &&
    target === 'stores' &&
    !PORTS[targetFolder!]?.includes(targetFile!.replace(/\.ts$/, ''))
  ) {
    return "a stage knows a store's port only";
  }
  return null;
}

const violations = (files: readonly SourceFile[]): string[] =>
  files.flatMap((file) =>
    imports(file).flatMap((to) => {
      const why = violation(file.path, to);
      return why === null ? [] : [`${file.path} → ${to}: ${why}`];
    }),
  );

describe('the import law', () => {
  const files = sources('src/**/*.{ts,tsx}');

  test('is kept', () => {
    assert.ok(files.length > 100, 'the sources are found');
    assert.ok(files.flatMap(imports).length > 300, 'the imports are found');
    assert.deepEqual(violations(files), []);
  });

  test('adapters are wired by app alone', () => {
    const users = files.filter(
      (file) =>
        !isTest(file.path) && imports(file).some((to) => /\/(sqlite|embedded|postgres)-[\w-]+\.ts$/.test(to)),
    );
    const outside = users.filter(({ path }) => !/^src\/(app|stores|services|stages\/metrics)\//.test(path));
    assert.deepEqual(
      outside.map(({ path }) => path),
      [],
    );
  });

  const PLANTED: readonly (readonly [from: string, text: string])[] = [
    ['src/contracts/live.ts', "import { ok } from '../lib/result.ts';"],
    ['src/lib/clock.ts', "import type { Broker } from '../stores/broker/broker.ts';"],
    ['src/stores/shop/shop.ts', "import type { Broker } from '../broker/broker.ts';"],
    ['src/stores/shop/shop.ts', "export * from '../../app/options.ts';"],
    ['src/stages/loader/loader.ts', "import { capture } from '../capture/capture.ts';"],
    [
      'src/stages/loader/loader.ts',
      "import {\n  sqliteBroker,\n} from '../../stores/broker/sqlite-broker.ts';",
    ],
    ['src/stages/loader/loader.ts', "const late = await import('../../stores/broker/sqlite-broker.ts');"],
    ['src/stages/loader/loader.ts', "import { startPostgres } from '../../services/postgres/postgres.ts';"],
    ['src/stages/dashboard/web/app.tsx', "import { METRICS } from '../../../contracts/metrics.ts';"],
    ['src/stages/dashboard/server/routes.ts', "import { view } from '../web/view.ts';"],
    ['src/services/postgres/postgres.ts', "import type { Shop } from '../../stores/shop/shop.ts';"],
    ['src/app/run.ts', "import { testPostgres } from '../../test/support/postgres.ts';"],
    ['src/stages/loader/loader.test.ts', "import { run } from '../../app/run.ts';"],
  ];
  for (const [path, text] of PLANTED) {
    test(`finds a planted violation: ${path} ${text.replaceAll('\n', ' ')}`, () => {
      assert.equal(violations([{ path, text }]).length, 1);
    });
  }
});
