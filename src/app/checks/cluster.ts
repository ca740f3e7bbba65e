import { TOPICS, type Topic } from '../../contracts/topics.ts';
import { UserError } from '../../lib/errors.ts';
import type { Finding } from '../../lib/finding.ts';
import type { ProfileParts } from '../profiles/profiles.ts';
import type { StageName } from '../stage-names.ts';
import type { Check } from './checks.ts';

/** A server that is there answers well within it. */
const ANSWER_MS_MAX = 8_000;

type Open = Awaited<ReturnType<typeof import('../profiles/cluster.ts').openCluster>>;

/** What a stage asks of the servers before it runs. */
const QUESTIONS: readonly {
  readonly server: string;
  readonly option: string;
  readonly stages: readonly StageName[];
  ask(open: Open, stage: StageName): Promise<unknown>;
}[] = [
  {
    server: 'Kafka',
    option: '--kafka-brokers',
    stages: ['capture', 'enrichment', 'loader', 'metrics', 'publisher'],
    ask: async ({ platform }, stage) => (await platform.broker(stage)).partitions(readBy(stage).name),
  },
  {
    server: 'Redis',
    option: '--redis-url',
    stages: ['publisher', 'dashboard'],
    ask: async ({ platform }, stage) => (await platform.metricsStore(stage)).isFilled(),
  },
  {
    server: 'the warehouse',
    option: '--dwh-url',
    stages: ['loader'],
    ask: async ({ platform }, stage) => (await platform.warehouse(stage)).offsets(),
  },
  {
    server: 'the shop',
    option: '--shop-url',
    stages: ['generator'],
    ask: ({ platform }) => platform.shop(),
  },
];

/** A topic that the stage has the right to read. */
const readBy = (stage: StageName): Topic => (stage === 'publisher' ? TOPICS.metrics : TOPICS.transactions);

/** Whether each stage can use the cluster's servers with its own rights. */
export const clusterCheck: Check = async ({ options, stages, clock, log }) => {
  if (options.profile !== 'cluster') return [];
  try {
    return await ask({ options, start: false, clock, log }, stages);
  } catch (error) {
    return [finding('the cluster', '--secrets', error)];
  }
};

async function ask(parts: ProfileParts, stages: readonly StageName[]): Promise<readonly Finding[]> {
  const { openCluster } = await import('../profiles/cluster.ts');
  const { shopPreflight } = await import('../../stores/shop/preflight.ts');
  const open = await openCluster(parts);
  try {
    const found = QUESTIONS.flatMap((question) =>
      stages
        .filter((stage) => question.stages.includes(stage))
        .map(async (stage): Promise<readonly Finding[]> => {
          try {
            await answered(question.ask(open, stage), parts);
            return [];
          } catch (error) {
            return [finding(`${question.server} (${stage})`, question.option, error)];
          }
        }),
    );
    if (stages.includes('capture')) {
      const { shop, crm } = open.shopUrls;
      const rights = { creates: false };
      found.push(shopPreflight(shop, 'instashop', parts.options.capture, rights));
      found.push(shopPreflight(crm, 'crm_db', parts.options.capture, rights));
    }
    return (await Promise.all(found)).flat();
  } finally {
    await open.close();
  }
}

async function answered(answer: Promise<unknown>, { clock }: ProfileParts): Promise<void> {
  const done = new AbortController();
  const late = clock.sleep(ANSWER_MS_MAX, done.signal).then(() => {
    if (!done.signal.aborted) throw new Error(`no answer within ${ANSWER_MS_MAX / 1_000} s`);
  });
  try {
    await Promise.race([answer, late]);
  } finally {
    done.abort();
  }
}

const finding = (server: string, option: string, error: unknown): Finding => ({
  severity: 'error',
  what: `${server} cannot be used: ${(error as Error).message}`,
  remedy:
    error instanceof UserError
      ? error.remedy
      : `Start the servers with \`instashop cluster up\`, or correct ${option}.`,
});
