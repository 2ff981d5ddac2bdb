// Times: the page says them in UTC; this puts them into the reader's own zone. Their exact moment stays in the title.
const words = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit", timeZoneName: "short",
});

function set() {
  for (const time of document.querySelectorAll("time[datetime]")) {
    const moment = new Date(time.dateTime);
    if (!Number.isNaN(moment.getTime())) time.textContent = words.format(moment);
  }
}

set();
document.addEventListener("renewed", set); // by live.js, after it has brought in something new
