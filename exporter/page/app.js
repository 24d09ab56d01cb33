// The page works without this file. It brings live numbers, the reader's own
// time zone, and the forms that change things.
'use strict';
(() => {
  const prefix = document.body.dataset.prefix;
  const lang = document.documentElement.lang;
  document.documentElement.classList.add('scripted');

  function localTimes(root) {
    for (const t of root.querySelectorAll('time[datetime]')) {
      const at = new Date(t.dateTime);
      if (!Number.isNaN(at.getTime())) t.textContent = at.toLocaleString(lang === 'fr' ? 'fr-CA' : 'en-CA', {dateStyle: 'medium', timeStyle: 'short'});
    }
  }

  // Regions marked data-live are taken from a fresh copy of this page, except
  // where the reader is typing.
  let waiting = false;
  async function refresh() {
    try {
      const answer = await fetch(location.href, {headers: {Accept: 'text/html'}});
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      for (const region of document.querySelectorAll('[data-live]')) {
        const next = fresh.querySelector('[data-live="' + region.dataset.live + '"]');
        for (const open of region.querySelectorAll('details[open][id]')) { // what somebody unfolded stays so
          const same = next && next.querySelector('#' + open.id);
          if (same) same.open = true;
        }
        if (!next || region.contains(document.activeElement) || region.innerHTML === next.innerHTML) continue;
        localTimes(next);
        region.replaceChildren(...next.childNodes);
      }
    } catch { /* the stream's own error tells the reader */ }
  }
  function refreshSoon() {
    if (waiting) return;
    waiting = true;
    setTimeout(() => { waiting = false; refresh(); }, 1500);
  }

  function progress(p) {
    const line = document.querySelector('[data-progress]');
    if (!line) return;
    line.hidden = !p.running;
    if (!p.running) { refreshSoon(); return; }
    const set = (name, text) => { const e = line.querySelector('[data-' + name + ']'); if (e) e.textContent = text; };
    const bar = line.querySelector('progress');
    if (p.total > 0) { bar.max = p.total; bar.value = p.done; } else { bar.removeAttribute('value'); }
    set('cycle', p.cycle);
    set('phase', p.phase);
    set('found', p.found);
    set('share', p.total > 0 ? (p.done / p.total).toLocaleString(lang, {style: 'percent'}) : '');
  }

  function stream() {
    const source = new EventSource(prefix + '/api/v1/stream');
    const offline = document.getElementById('offline');
    let lost = null;
    source.addEventListener('progress', e => progress(JSON.parse(e.data)));
    for (const kind of ['device', 'event', 'status']) source.addEventListener(kind, refreshSoon);
    source.onopen = () => {
      offline.hidden = true;
      if (lost) { clearTimeout(lost); lost = null; refresh(); }
    };
    source.onerror = () => {
      if (!lost) lost = setTimeout(() => { offline.textContent = document.body.dataset.offline; offline.hidden = false; }, 8000);
      if (source.readyState === EventSource.CLOSED) setTimeout(() => { source.close(); stream(); }, 15000);
    };
    addEventListener('pagehide', () => source.close());
  }

  async function send(form) {
    const button = form.querySelector('button');
    const request = {method: form.dataset.method, headers: {}};
    const fields = Object.fromEntries(new FormData(form));
    if (Object.keys(fields).length > 0) {
      request.headers['Content-Type'] = 'application/json';
      request.body = JSON.stringify(fields);
    }
    button.disabled = true;
    try {
      const answer = await fetch(prefix + form.dataset.api, request);
      if (answer.ok) { location.reload(); return; }
      const said = await answer.json().catch(() => null);
      tell(form, said && said.error ? said.error.message : String(answer.status));
    } catch (problem) {
      tell(form, problem.message);
    } finally {
      button.disabled = false;
    }
  }
  function tell(form, text) {
    let line = form.querySelector('.error');
    if (!line) {
      line = document.createElement('p');
      line.className = 'error';
      line.setAttribute('role', 'alert');
      form.append(line);
    }
    line.textContent = document.body.dataset.failed + text;
  }
  document.addEventListener('submit', e => {
    if (!e.target.matches('form[data-api]')) return;
    e.preventDefault();
    send(e.target);
  });

  localTimes(document);
  stream();
})();
