"""Do the heads that end up carrying an ability decide when it comes? A re-run without them."""
