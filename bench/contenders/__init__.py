"""What `bench streams` sets side by side: each a program that folds the same facts to the same few figures."""
