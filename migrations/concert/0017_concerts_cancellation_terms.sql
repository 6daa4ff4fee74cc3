-- JSON: [days before, percent kept] each, the earliest first.
alter table concert_concerts add column cancellation_terms text not null default '[[10,0],[7,10],[3,20],[1,30]]';
