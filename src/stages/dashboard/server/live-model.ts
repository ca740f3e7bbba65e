import {
  isWaiting,
  type LiveChange,
  type LiveRankings,
  type LiveScope,
  type LiveStage,
} from '../../../contracts/live.ts';
import { healthKey, type StageHealth } from '../../../contracts/stage-health.ts';
import { HEALTH_MAX, type MetricsChange } from '../../../stores/metrics-store/metrics-store.ts';
import { liveRanking, RANKED_METRICS } from './live-rankings.ts';
import { inScope } from './live-scope.ts';
import { byStage, liveStage, liveStages, presentInstances } from './live-stages.ts';
import { liveValues } from './live-values.ts';

/** Values held at most: of the whole shop, and of its merchants. */
const VALUES_MAX = 20_000;
const MERCHANT_VALUES_MAX = 40_000;

/** Metrics of which the model holds LIVE_SPAN_MS, and those that take the most room. */
export const COMMON_METRICS = [
  'transactions',
  'transactions_by_payment',
  'products_by_category',
  'behavior',
  'carts',
] as const;
export const WIDE_METRICS = ['transactions_by_merchant', ...RANKED_METRICS] as const;

interface StageEntry {
  readonly item: StageHealth;
  /** The tick it belongs to. */
  readonly seq: number;
  /** When this state was said first. */
  readonly stateSince: number;
}

/** What the page shows, newest values only, numbered by tick so that anyone can be brought up to date from any tick. */
export interface LiveModel {
  /** The newest finished tick. */
  seq(): number;
  /** Takes what is newer than what it has. Whether the next tick brings anything of it (rankings wait for `rerank`). */
  apply(change: MetricsChange): boolean;
  /** The store held everything from there on; the next message tells. */
  covers(fromMs: number): void;
  /** Lets the next tick bring rankings if anything they are made of changed. Whether it did. */
  rerank(): boolean;
  /** Ends a tick if anything changed since the last. Whether it did. */
  advance(): boolean;
  /** Everything of the scope that changed after that tick; 0 gives all there is. */
  since(seq: number, scope: LiveScope): Omit<LiveChange, 'server_time'>;
  /** Each stage, its processes in one. */
  stages(): readonly LiveStage[];
  /** The processes that count now, by stage. */
  instances(): readonly (readonly StageHealth[])[];
  /** When the stage came into its present state, epoch ms; Infinity for a stage that said nothing. */
  stateSince(stage: string): number;
  newestWindowStart(): number | null;
  newestCommittedAt(): number | null;
}

const max = (a: number | null, b: number): number => (a === null || b > a ? b : a);

/** `now`: epoch ms; decides which processes still live. */
export function liveModel(now: () => number): LiveModel {
  const common = liveValues(VALUES_MAX);
  const merchants = liveValues(MERCHANT_VALUES_MAX);
  const ranking = liveRanking();
  const stages = new Map<string, StageEntry>();
  let seq = 0;
  let dirty = false;
  let coveredFrom: number | null = null;
  let ranksSeq = 0;
  let ranksDirty = false;
  let ranksMade = new Map<string, LiveRankings>();
  let newestEventTime: number | null = null;
  let newestCommittedAt: number | null = null;

  const applyValue = (value: MetricsChange['values'][number]): boolean => {
    if (ranking.apply(value)) ranksDirty = true;
    const isMerchant = value.metric === 'transactions_by_merchant';
    if (!(isMerchant ? merchants : common).apply(value, seq + 1)) return false;
    if (isMerchant) return true;
    newestEventTime = max(newestEventTime, value.newest_event_time);
    newestCommittedAt = max(newestCommittedAt, value.newest_committed_at);
    return true;
  };

  /** Before the first value of anything, nobody counted. */
  const knownFrom = ({ filter }: LiveScope): number | null => {
    const oldest = common.oldestStart();
    if (oldest === null || coveredFrom === null) return null;
    const held =
      filter?.by === 'merchant' && merchants.isCut() ? (merchants.oldestStart() ?? oldest) : oldest;
    return Math.max(coveredFrom, oldest, held);
  };

  const rankings = (scope: LiveScope, newestStart: number): LiveRankings => {
    if (scope.own) return ranking.own(scope, newestStart);
    const category = scope.filter?.by === 'category' ? scope.filter.of : '';
    const key = `${scope.period_s}/${category}`;
    const made = ranksMade.get(key) ?? ranking.rankings(scope, newestStart);
    ranksMade.set(key, made);
    return made;
  };

  const applyHealth = (health: StageHealth): boolean => {
    const key = healthKey(health);
    const known = stages.get(key);
    if (known !== undefined && known.item.at >= health.at) return false;
    const stateSince = known?.item.state === health.state ? known.stateSince : health.at;
    stages.set(key, { item: health, seq: seq + 1, stateSince });
    while (stages.size > HEALTH_MAX) {
      const [oldest] = [...stages].reduce((a, b) => (b[1].item.at < a[1].item.at ? b : a));
      stages.delete(oldest);
    }
    return true;
  };

  const healths = () => [...stages.values()].map((entry) => entry.item);

  const stagesAfter = (from: number): LiveStage[] => {
    const changed = new Set(
      [...stages.values()].flatMap(({ item, seq: at }) => (at > from ? [item.stage] : [])),
    );
    return [...byStage(healths())].flatMap(([stage, all]) =>
      changed.has(stage) ? [liveStage(all, now())] : [],
    );
  };

  const stateSince = (stage: string): number => {
    const entries = [...stages.values()].filter(({ item }) => item.stage === stage);
    if (entries.length === 0) return Number.POSITIVE_INFINITY;
    const all = entries.map(({ item }) => item);
    const present = presentInstances(all, now());
    const { state } = liveStage(all, now());
    const since = entries.filter(({ item }) => present.includes(item) && item.state === state);
    // While another process lived, the stage was what that one said.
    const gone = all.filter((item) => !present.includes(item)).map(({ at }) => at);
    return Math.max(Math.min(...since.map((entry) => entry.stateSince)), ...gone);
  };

  return {
    seq: () => seq,
    apply(change) {
      let changed = false;
      for (const value of change.values) changed = applyValue(value) || changed;
      for (const health of change.health) changed = applyHealth(health) || changed;
      dirty ||= changed;
      return changed;
    },
    covers(fromMs) {
      coveredFrom = fromMs;
    },
    rerank() {
      if (!ranksDirty) return false;
      ranksDirty = false;
      ranksMade = new Map();
      ranksSeq = seq + 1;
      dirty = true;
      return true;
    },
    advance() {
      if (!dirty) return false;
      dirty = false;
      seq += 1;
      return true;
    },
    since(from, scope) {
      const newest = common.newestStart();
      const isWanted = newest === null ? () => false : inScope(scope, newest);
      const ofMerchants = scope.filter?.by === 'merchant' ? merchants.since(from) : [];
      return {
        newest_event_time: newestEventTime,
        newest_committed_at: newestCommittedAt,
        known_from: knownFrom(scope),
        values: [...common.since(from), ...ofMerchants].filter(isWanted),
        stages: scope.own ? [] : stagesAfter(from),
        ...(scope.own && { waiting: liveStages(healths(), now()).some(isWaiting) }),
        ...(newest !== null && ranksSeq > from && { rankings: rankings(scope, newest) }),
      };
    },
    stages: () => liveStages(healths(), now()),
    instances: () => [...byStage(healths()).values()].map((all) => presentInstances(all, now())),
    stateSince,
    newestWindowStart: common.newestStart,
    newestCommittedAt: () => newestCommittedAt,
  };
}
