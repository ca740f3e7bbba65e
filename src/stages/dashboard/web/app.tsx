import { Alerts } from './components/alerts.tsx';
import { Feed } from './components/feed.tsx';
import { Header } from './components/header.tsx';
import { HistoryPanel } from './components/history.tsx';
import { Lists } from './components/lists.tsx';
import { Now } from './components/now.tsx';
import { People } from './components/people.tsx';
import { Period } from './components/period.tsx';
import { Quality } from './components/quality.tsx';
import { Reconciliation } from './components/reconciliation.tsx';
import { Stages } from './components/stages.tsx';
import { Stats } from './components/stats.tsx';
import { ownMerchant } from './session.ts';
import { address, texts } from './settings.ts';
import { isWaiting, version, view } from './state.ts';
import type { View } from './view.ts';
import { isLong } from './warehouse.ts';

function Empty({ view: { periodMs } }: { view: View }) {
  const t = texts.value;
  return (
    <section class="empty" aria-labelledby="empty-title">
      <h2 id="empty-title">{t.emptyTitle}</h2>
      <p>{t.emptyText(t.minutes(periodMs / 60_000))}</p>
    </section>
  );
}

/** What changes with each update stands here, so that nothing else is looked at then. */
function Live() {
  const shown = view.value;
  if (shown === null) return null;
  const isEmpty = !shown.hasSales && shown.filter === null;
  // What is ranked is of the whole shop.
  const hasLists = address.value.view === 'page' && ownMerchant.value === null;
  return (
    <>
      {isEmpty ? (
        <Empty view={shown} />
      ) : (
        <>
          <Now view={shown} />
          <Stats view={shown} />
        </>
      )}
      {hasLists && (!isEmpty || shown.behaviors.length > 0) && <Lists view={shown} />}
    </>
  );
}

/** What goes on now, for a wall or another page's frame. */
function NowAlone() {
  const isThere = version.value !== undefined;
  return (
    <>
      <Header />
      <main id="figures" aria-busy={!isThere || isWaiting.value}>
        <Alerts />
        {isLong.value ? <Period /> : <Live />}
      </main>
    </>
  );
}

/** The whole page; each part reads the signals it shows. */
export function App() {
  if (address.value.view !== 'page') return <NowAlone />;
  return <Page />;
}

function Page() {
  const t = texts.value;
  const isThere = version.value !== undefined;
  const isWhole = isThere && ownMerchant.value === null;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <a class="skip" href="#figures">
        {t.skip}
      </a>
      <Header />
      <main id="figures" aria-busy={!isThere || isWaiting.value}>
        <Alerts />
        {isLong.value ? <Period /> : <Live />}
        {isThere && <People />}
        <Feed />
        <HistoryPanel />
        {isWhole && (
          <div class="pipeline">
            <Stages />
            <Quality />
          </div>
        )}
        {isWhole && <Reconciliation />}
      </main>
      <footer>{t.footer(zone, version.value ?? '–')}</footer>
    </>
  );
}
