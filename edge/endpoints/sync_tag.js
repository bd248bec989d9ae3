(function (w, d) {
  var tag = d.currentScript, left = 5, queue = [], busy = 0;
  if (!tag) return;
  function load(kind, src, then) {
    var e = d.createElement(kind), timer = setTimeout(done, 9000);
    function done() {
      clearTimeout(timer);
      e.onload = e.onerror = null;
      then();
    }
    e.onload = e.onerror = done;
    e.src = src;
    if (kind == "script") d.head.appendChild(e);
  }
  function next() {
    busy = left && queue.length;
    if (busy) load(queue[0][1], queue.shift()[0], next, left--);
  }
  // called by what /sync answers; one queue for all tags of the page
  w.dmpsync = w.dmpsync || function (due) {
    var from = d.currentScript.src;
    due.forEach(function (one) { queue.push([from + "&pl=" + one[0], one[1]]); });
    busy || next();
  };
  function start() {
    load("script", tag.src.replace("/sync.js?", "/sync?"), function () {});
  }
  function loaded() {
    d.readyState == "complete" ? start() : w.addEventListener("load", start);
  }
  // a page that is rendered ahead has no visitor yet
  d.prerendering ? d.addEventListener("prerenderingchange", loaded, { once: true }) : loaded();
})(window, document);
