"""CSV and XLSX files into target lists, and long lists into other lists.

An upload is kept in our own tables, because workers may be on other machines and public media folders are no
place for people's addresses. It is read to its end into batches before anybody is added, so that a file with a
fault changes nothing. The transaction that imports a batch also deletes it: after a kill the rest goes on, and
nobody comes in twice. The people of another list are in batches from the beginning.
"""
