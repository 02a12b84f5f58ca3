// The page says all without this: it adds a theme button, opens what is linked to, and copies.
(function () {
  'use strict';
  var root = document.documentElement;
  var dark = window.matchMedia('(prefers-color-scheme: dark)');
  var button = document.querySelector('.theme');
  var stored = null;
  try { stored = localStorage.getItem('chatscale-theme'); } catch (e) { /* file:// may forbid it */ }
  if (stored === 'dark' || stored === 'light') { root.dataset.theme = stored; }

  function isDark() { return root.dataset.theme ? root.dataset.theme === 'dark' : dark.matches; }
  function label() { button.textContent = isDark() ? 'Light' : 'Dark';
    button.setAttribute('aria-label', 'Switch to ' + (isDark() ? 'light' : 'dark') + ' colours'); }
  button.hidden = false;
  label();
  dark.addEventListener('change', label);
  button.addEventListener('click', function () {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    try { localStorage.setItem('chatscale-theme', root.dataset.theme); } catch (e) { /* as above */ }
    label();
  });

  function open() {
    var target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    for (var node = target; node; node = node.parentElement) {
      if (node.tagName === 'DETAILS') { node.open = true; }
    }
    if (target) {
      target.scrollIntoView();
      var summary = target.querySelector && target.tagName === 'DETAILS' && target.querySelector('summary');
      if (summary) { summary.focus({preventScroll: true}); }
    }
  }
  window.addEventListener('hashchange', open);
  open();
  document.addEventListener('click', function (event) { // The same link again: open it again.
    var link = event.target.closest && event.target.closest('a[href^="#"]');
    if (link && link.getAttribute('href') === location.hash) { open(); }
  });

  document.querySelectorAll('button[data-copy]').forEach(function (copy) {
    if (!navigator.clipboard) { return; }
    copy.hidden = false;
    copy.addEventListener('click', function () {
      navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent).then(
        function () { copy.textContent = 'Copied'; });
    });
  });
})();
