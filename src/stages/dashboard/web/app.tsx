import { Header } from './components/header.tsx';
import { HistoryPanel } from './components/history.tsx';
import { Lists } from './components/lists.tsx';
import { Now } from './components/now.tsx';
import { Quality } from './components/quality.tsx';
import { Stages } from './components/stages.tsx';
import { Stats } from './components/stats.tsx';
import { model, texts, view } from './state.ts';

function Empty() {
  const t = texts.value;
  return (
    <section class="empty" aria-labelledby="empty-title">
      <h2 id="empty-title">{t.emptyTitle}</h2>
      <p>{t.emptyText}</p>
    </section>
  );
}

/** The whole page; each part reads the signals it shows. */
export function App() {
  const t = texts.value;
  const shown = view.value;
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <a class="skip" href="#figures">
        {t.skip}
      </a>
      <Header />
      <main id="figures" aria-busy={shown === null}>
        {shown === null ? null : shown.hasSales ? (
          <>
            <Now view={shown} />
            <Stats view={shown} />
          </>
        ) : (
          <Empty />
        )}
        {shown !== null && (shown.hasSales || shown.behaviors.length > 0) && <Lists view={shown} />}
        <HistoryPanel />
        {model.value !== null && (
          <div class="pipeline">
            <Stages />
            <Quality />
          </div>
        )}
      </main>
      <footer>{t.footer(zone, model.value?.version ?? '–')}</footer>
    </>
  );
}
