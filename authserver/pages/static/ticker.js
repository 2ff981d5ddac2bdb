// A half second's tick from a worker: a page that is out of sight has its own timers slowed down to one a minute.
setInterval(() => postMessage(0), 500);
