-- As of the concert when the seats were held.
alter table concert_reservations add column cancellation_terms text not null default '[[10,0],[7,10],[3,20],[1,30]]';
